"""Process reward models: a score for each step of a response, and one reward from them.

Two forms. "step-tag": a language model is asked for the token that follows a tag after each step,
and the score is P(good) / (P(good) + P(bad)) there (Math-Shepherd, RLHFlow). "two-class": a
classifier over tokens is read at the tag, and the score is the softmax probability of the second
class (Qwen2.5-Math-PRM). The model is causal, so one pass over the whole text scores every step
from what stands before it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

from core.errors import ConversationError, ModelLoadError, WorkbenchError
from core.labs.process.aggregation import aggregate_steps, split_steps
from core.models import precision, weights
from core.models.base import Capability, ConversationRewardModel, FloatArray, ModelOutput
from core.models.card import AdapterSource, ProcessPart, RemoteSource, RewardModelCard
from core.models.language import LanguageModel, load_language_model
from core.models.sampling import Tokens
from core.models.turns import prompt_tokens, with_system_rule
from core.schema import Conversation, Message, split_conversation


@dataclass(frozen=True)
class StepRewards:
    """A response step by step.

    Attributes:
        steps: their texts, in order.
        scores: (n,) in [0, 1].
        mass: (n,) probability that the good and the bad token capture together; 1 for a classifier.
    """

    steps: tuple[str, ...]
    scores: FloatArray
    mass: FloatArray


@dataclass(frozen=True)
class _Tagged:
    """Tokens of one response with its tags, and where each tag ends."""

    tokens: Tokens
    positions: tuple[int, ...]
    steps: tuple[str, ...]


class ProcessRewardModel(ConversationRewardModel):
    """A process reward model of either form.

    Args:
        card: of the model.
        model: the language model; for "two-class" the network without an output map.
        head: of "two-class": from last hidden states to two logits.
    """

    def __init__(
        self, card: RewardModelCard, model: LanguageModel, *, head: nn.Module | None = None
    ) -> None:
        if card.process is None:
            raise ModelLoadError(f"{card.id}: the card has no part 'process'.")
        if (card.process.form == "two-class") != (head is not None):
            raise ModelLoadError(f"{card.id}: a classification head goes with form 'two-class'.")
        self.card = card
        self.part: ProcessPart = card.process
        self.model = model
        self._head = head
        self._words = (0, 0) if head is not None else _word_tokens(card.id, model, self.part)
        told = [model.fingerprint, card.input.model_dump_json(), self.part.model_dump_json()]
        told += [str(card.max_length), str(card.reward.sign)]
        self.fingerprint = hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REWARD, Capability.STEP_REWARDS})

    @property
    def n_bytes(self) -> int:
        return int(self.model.network.get_memory_footprint())

    def token_counts(self, conversation: Conversation) -> tuple[int, int]:
        return sum(len(each.tokens) for each in self._tagged(conversation)), 0

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """The card's aggregate of step scores; a response that cannot be read has a reason."""
        rewards, errors = np.full(len(conversations), np.nan), [""] * len(conversations)
        for position, conversation in enumerate(conversations):
            try:
                found = self.step_rewards([conversation])[0]
            except WorkbenchError as error:
                errors[position] = str(error)
                continue
            reward = aggregate_steps(found.scores, self.part.aggregate)
            rewards[position] = self.card.reward.sign * reward
        return ModelOutput(rewards, errors=tuple(errors) if any(errors) else ())

    def step_rewards(self, conversations: Sequence[Conversation]) -> list[StepRewards]:
        """The score of every step of each response, in the order given.

        Raises:
            ConversationError: a response without a step, or one longer than the model reads.
        """
        return [self._scored(self._tagged(conversation)) for conversation in conversations]

    def score_steps(self, turns: Sequence[Message], steps: Sequence[str]) -> StepRewards:
        """The score of each given step, whatever separators its text holds.

        Args:
            turns: the prompt.
            steps: at least one.

        Raises:
            ConversationError: there is no step, or they are longer than the model reads.
        """
        return self._scored(self._tagged_steps(turns, tuple(steps)))

    def _scored(self, tagged: list[_Tagged]) -> StepRewards:
        if self._head is not None:
            (each,) = tagged
            scores = self._classified(each)
            return StepRewards(each.steps, scores, np.ones_like(scores))
        good, bad = self._words
        if len(tagged) == 1:
            (each,) = tagged
            log_probabilities = self._after(each)
            steps = each.steps
        else:  # one prompt for each step
            log_probabilities = self.model.next_token([each.tokens for each in tagged])
            steps = tuple(each.steps[-1] for each in tagged)
        chosen = np.exp(log_probabilities[:, [good, bad]])
        mass = chosen.sum(axis=1)
        scores = 1 / (1 + np.exp(log_probabilities[:, bad] - log_probabilities[:, good]))
        return StepRewards(steps, scores, mass)

    @torch.inference_mode()
    def _states(self, each: _Tagged) -> torch.Tensor:
        """(steps, hidden) last states where the tags end."""
        model, network = self.model, self.model.network
        body = network if self._head is not None else network.model
        ids = torch.tensor([each.tokens], device=model.device)
        with model.precision.computing(model.device):
            states = body(input_ids=ids, use_cache=False).last_hidden_state[0]
        return torch.as_tensor(states[list(each.positions)])

    @torch.inference_mode()
    def _after(self, each: _Tagged) -> FloatArray:
        states = self._states(each)
        with self.model.precision.computing(self.model.device):
            logits = self.model.network.lm_head(states)
        found: FloatArray = logits.float().log_softmax(-1).double().cpu().numpy()
        return found

    @torch.inference_mode()
    def _classified(self, each: _Tagged) -> FloatArray:
        assert self._head is not None  # noqa: S101 - only called with one
        logits = self._head(self._states(each).float())
        found: FloatArray = logits.softmax(-1)[:, 1].double().cpu().numpy()
        return found

    def _tagged(self, conversation: Conversation) -> list[_Tagged]:
        """What is passed: one text with all tags, or where turns need it one for each step."""
        turns, response = split_conversation(conversation)
        return self._tagged_steps(turns, split_steps(response, self.part.separator))

    def _tagged_steps(self, turns: Sequence[Message], steps: tuple[str, ...]) -> list[_Tagged]:
        if not steps:
            raise ConversationError("The response has no step: it is blank.")
        inline = self.part.layout == "inline"
        found = [self._inline(turns, steps)] if inline else self._in_turns(turns, steps)
        longest = max(len(each.tokens) for each in found)
        if longest > self.card.max_length:
            raise ConversationError(
                f"With its tags the response has {longest:,} tokens, and the model reads "
                f"{self.card.max_length:,}. A cut response would lose its last steps.",
                fix="Shorten the response, or raise the card's max_length.",
            )
        return found

    def _inline(self, turns: Sequence[Message], steps: tuple[str, ...]) -> _Tagged:
        """Prompt, then every step with its tag; character positions find the tags' last tokens."""
        head = prompt_tokens(self.model, turns, self.card.input)
        text, ends = "", []
        for step in steps:
            text += step + self.part.tag
            ends.append(len(text))
            text += self.part.after
        read = self.model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = read["offset_mapping"]
        positions = []
        for end in ends:
            covering = [i for i, (start, stop) in enumerate(offsets) if start < end <= stop]
            if not covering or offsets[covering[-1]][1] != end:
                raise ConversationError(
                    "A tag is joined with the text after it in one token, so its score cannot be "
                    "read.",
                    fix="Let the card's tag be a token of its own.",
                )
            positions.append(len(head) + covering[-1])
        return _Tagged((*head, *read["input_ids"]), tuple(positions), steps)

    def _in_turns(self, turns: Sequence[Message], steps: tuple[str, ...]) -> list[_Tagged]:
        """Each step as a user's turn, those before it answered by the good token.

        One text for all steps, or one for each where a template does not just append turns.
        """
        read = with_system_rule(turns, self.card.input)
        if not read or read[-1]["role"] != "user":
            raise ConversationError(
                "A model that reads steps as turns needs a user's turn before the response."
            )
        said: list[Message] = read[:-1]
        found = []
        for number, step in enumerate(steps):
            opening = f"{read[-1]['content']} " if number == 0 else ""
            said = [*said, {"role": "user", "content": f"{opening}{step}{self.part.tag}"}]
            tokens = prompt_tokens(self.model, said, self.card.input)
            found.append(_Tagged(tokens, (len(tokens) - 1,), steps[: number + 1]))
            said = [*said, {"role": "assistant", "content": self.part.good}]
        last = found[-1]
        if all(last.tokens[: len(each.tokens)] == each.tokens for each in found):
            # Each prompt begins the next one, so one pass over the last reads them all.
            positions = tuple(len(each.tokens) - 1 for each in found)
            return [_Tagged(last.tokens, positions, steps)]
        return found


def load_process(card: RewardModelCard, *, device: str | None = None) -> ProcessRewardModel:
    """The process reward model that a card of family "process" describes.

    The two-class form is read as a bare decoder with the head's tensors ("score" or "classifier",
    one linear map or two with a ReLU between), so no code of the checkpoint runs.

    Raises:
        ModelLoadError: the files cannot be had, the tag words are no tokens, or there is no head.
    """
    part, source = card.process, card.source
    if part is None or isinstance(source, RemoteSource | AdapterSource):
        raise ModelLoadError(
            f"{card.id}: a process reward model is loaded from a checkpoint of its own.",
            fix="Merge an adapter into its base and name the merged folder.",
        )
    if part.form == "step-tag":
        return ProcessRewardModel(
            card, load_language_model(source, dtype=card.dtype, device=device)
        )
    where = precision.default_device(device)
    computing = precision.resolve(card.dtype, where)
    folder = weights.fetch(source)
    try:
        network = AutoModel.from_pretrained(folder, dtype=computing.weights, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelLoadError(f"{card.id}: the checkpoint cannot be loaded: {error}") from error
    network.eval().requires_grad_(False)
    computing.prepare(network)
    model = LanguageModel(
        network.to(where),
        tokenizer,
        fingerprint=f"{weights.folder_hash(folder)}:{computing.name}",
        computing=computing,
    )
    return ProcessRewardModel(card, model, head=read_head(card.id, folder).to(where))


def read_head(name: str, folder: Path) -> nn.Module:
    """The two-class head of a checkpoint, in float32.

    Raises:
        ModelLoadError: there is none of a known form, or it has not two outputs.
    """
    from safetensors import safe_open

    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 - not a mapping
                head, _, rest = key.partition(".")
                if head in ("score", "classifier"):
                    found[rest] = tensors.get_tensor(key).float()
    first, second = found.get("0.weight"), found.get("2.weight")
    if "weight" in found:
        layers: list[nn.Module] = [_linear(found["weight"], found.get("bias"))]
    elif first is not None and second is not None:
        layers = [_linear(first, found.get("0.bias")), nn.ReLU()]
        layers += [_linear(second, found.get("2.bias"))]
    else:
        raise ModelLoadError(
            f"{name}: the checkpoint has no two-class head that is known here.",
            fix='A head is one linear map "score.weight", or "score.0" and "score.2" with a ReLU.',
        )
    outputs = int(layers[-1].weight.shape[0])  # type: ignore[index]
    if outputs != 2:
        raise ModelLoadError(f"{name}: the head has {outputs} outputs, not two.")
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    values: dict[str, Any] = {"weight": weight} | ({} if bias is None else {"bias": bias})
    layer.load_state_dict(values)
    return layer


def _word_tokens(name: str, model: LanguageModel, part: ProcessPart) -> tuple[int, int]:
    """Tokens of the good and the bad word, the last of each where one begins with a blank mark.

    Raises:
        ModelLoadError: they are the same token.
    """
    good, bad = (model.encode(word) for word in (part.good, part.bad))
    if not good or not bad or good[-1] == bad[-1]:
        raise ModelLoadError(
            f"{name}: {part.good!r} and {part.bad!r} do not differ in their token.",
            fix="Set process.good and process.bad to the words the model was trained with.",
        )
    if len(good) > 2 or len(bad) > 2:
        raise ModelLoadError(f"{name}: {part.good!r} and {part.bad!r} must be one token each.")
    return good[-1], bad[-1]
