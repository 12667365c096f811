"""A policy's implicit reward: what it finds likelier than the model it was trained from.

r(x, y) = beta * (log pi(y | x) - log pi_ref(y | x)), up to a term that depends on the prompt alone
(Rafailov et al. 2023, DPO, eq. 5); rewards of different prompts are therefore not comparable.

Prompt and response are tokenised apart, so no token spans the boundary whatever the texts are. The
response ends with the tokenizer's end-of-text token, as DPO trainers append it: a policy's wish to
go on counts against a response that stops. "sum" adds the log-ratios of all these tokens, as the
objective does; "mean" divides by their number.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ConversationError, ModelLoadError, WorkbenchError
from core.models import weights
from core.models.base import Capability, ConversationRewardModel, FloatArray, ModelOutput
from core.models.card import AdapterSource, BaseSource, RemoteSource, RewardModelCard
from core.models.language import LanguageModel, load_language_model
from core.models.sampling import Tokens
from core.models.turns import prompt_tokens
from core.schema import Conversation, split_conversation


@dataclass(frozen=True)
class TokenRatios:
    """A response token by token.

    Attributes:
        pieces: the text of each token, the end token last.
        policy: (n,) log-probabilities under the policy, nats.
        reference: (n,) the same under the reference.
        n_prompt: tokens of the prompt that were read.
        n_cut: tokens beyond the card's max_length, which were not read.
    """

    pieces: tuple[str, ...]
    policy: FloatArray
    reference: FloatArray
    n_prompt: int
    n_cut: int = 0

    @property
    def ratios(self) -> FloatArray:
        """(n,) log-ratio of each token, nats."""
        return self.policy - self.reference


class ImplicitRewardModel(ConversationRewardModel):
    """The implicit reward of a policy against a reference.

    Args:
        card: of the pair.
        policy: the trained model.
        reference: the model it was trained from; None where that is the policy without its
            adapter.
        peft: the adapter around the policy's network, where there is no other reference.
    """

    def __init__(
        self,
        card: RewardModelCard,
        policy: LanguageModel,
        reference: LanguageModel | None,
        *,
        peft: Any = None,
    ) -> None:
        if card.implicit is None:
            raise ModelLoadError(f"{card.id}: the card has no part 'implicit'.")
        if (reference is None) == (peft is None):
            raise ModelLoadError(f"{card.id}: either a reference or an adapter is needed.")
        if policy.tokenizer.eos_token_id is None:
            raise ModelLoadError(
                f"{card.id}: the tokenizer names no end-of-text token, which ends a response."
            )
        if reference is not None and _differ(policy, reference):
            raise ModelLoadError(
                f"{card.id}: policy and reference have different tokenizers, so their "
                "probabilities are not of the same tokens.",
                fix="Name the model that the policy was trained from as its reference.",
            )
        self.card = card
        self.part = card.implicit
        self.policy = policy
        self._reference = reference
        self._peft = peft
        self._lock = threading.Lock()
        told = [policy.fingerprint, reference.fingerprint if reference else "its base"]
        told += [card.input.model_dump_json(), self.part.model_dump_json(), str(card.max_length)]
        told += [card.truncation_side, str(card.reward.sign)]
        self.fingerprint = hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REWARD, Capability.TOKEN_RATIOS})

    @property
    def n_bytes(self) -> int:
        models = [self.policy, *([self._reference] if self._reference else [])]
        return sum(int(model.network.get_memory_footprint()) for model in models)

    def token_counts(self, conversation: Conversation) -> tuple[int, int]:
        prompt, response, n_cut = self._encoded(conversation)
        return len(prompt) + len(response), n_cut

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """beta times the sum or mean of log-ratios; a response that cannot be read has a reason."""
        rewards, errors = np.full(len(conversations), np.nan), [""] * len(conversations)
        readable, kept = [], []
        for position, conversation in enumerate(conversations):
            try:
                self._encoded(conversation)
            except WorkbenchError as error:
                errors[position] = str(error)
            else:
                readable.append(conversation)
                kept.append(position)
        for position, each in zip(kept, self.token_ratios(readable), strict=True):
            rewards[position] = self.card.reward.sign * self.reward_of(each)
        return ModelOutput(rewards, errors=tuple(errors) if any(errors) else ())

    def reward_of(self, reading: TokenRatios) -> float:
        """beta times the sum or the mean over the tokens, as the card says."""
        total = reading.ratios.sum() if self.part.length == "sum" else reading.ratios.mean()
        return float(self.part.beta * total)

    def sum_and_mean(self, reading: TokenRatios) -> tuple[int, float, float]:
        """Tokens of a response, and beta times their log-ratios' sum and mean, whatever the card
        takes."""
        scale = self.card.reward.sign * self.part.beta
        ratios = reading.ratios
        return len(ratios), float(scale * ratios.sum()), float(scale * ratios.mean())

    def token_ratios(self, conversations: Sequence[Conversation]) -> list[TokenRatios]:
        """Each response token by token under both models, in the order given.

        Raises:
            ConversationError: one is not a conversation, or its prompt leaves no room.
        """
        if not conversations:
            return []
        encoded = [self._encoded(conversation) for conversation in conversations]
        prompts = [prompt for prompt, _, _ in encoded]
        responses = [response for _, response, _ in encoded]
        with self._lock:
            own = self.policy.read(prompts, responses)
            with self._as_reference() as reference:
                theirs = reference.read(prompts, responses)
        return [
            TokenRatios(
                self.policy.pieces(response),
                mine.log_probabilities,
                other.log_probabilities,
                len(prompt),
                n_cut,
            )
            for (prompt, response, n_cut), mine, other in zip(encoded, own, theirs, strict=True)
        ]

    @contextlib.contextmanager
    def _as_reference(self) -> Iterator[LanguageModel]:
        if self._reference is not None:
            yield self._reference
            return
        with self._peft.disable_adapter():
            yield self.policy

    def _encoded(self, conversation: Conversation) -> tuple[Tokens, Tokens, int]:
        """Tokens of prompt and response within max_length, and how many had to go."""
        turns, text = split_conversation(conversation)
        prompt = prompt_tokens(self.policy, turns, self.card.input)
        response = (*self.policy.encode(text), int(self.policy.tokenizer.eos_token_id))
        limit = self.card.max_length
        over = len(prompt) + len(response) - limit
        if over <= 0:
            return prompt, response, 0
        if self.card.truncation_side == "left" and over < len(prompt):
            return prompt[over:], response, over
        if len(prompt) >= limit:
            raise ConversationError(
                f"The prompt has {len(prompt):,} tokens and the model reads {limit:,}: there is no "
                "room for the response.",
                fix="Shorten the prompt, or raise the card's max_length.",
            )
        return prompt, response[: limit - len(prompt)], over


def load_implicit(card: RewardModelCard, *, device: str | None = None) -> ImplicitRewardModel:
    """The pair of policy and reference that a card of family "implicit" describes.

    An adapter whose reference is its own base shares the base's weights: they are read with and
    without the adapter.

    Raises:
        ModelLoadError: a model cannot be had, the adapter does not fit, or the tokenizers differ.
    """
    part, source = card.implicit, card.source
    if part is None or isinstance(source, RemoteSource):
        raise ModelLoadError(f"{card.id}: an implicit reward needs the models themselves.")
    if not isinstance(source, AdapterSource):
        policy = load_language_model(source, dtype=card.dtype, device=device)
        reference = load_language_model(part.reference, dtype=card.dtype, device=device)
        return ImplicitRewardModel(card, policy, reference)
    policy = load_language_model(source.base, dtype=card.dtype, device=device)
    peft = _with_adapter(card, policy, source.adapter)
    if part.reference == source.base:
        return ImplicitRewardModel(card, policy, None, peft=peft)
    reference = load_language_model(part.reference, dtype=card.dtype, device=device)
    return ImplicitRewardModel(card, policy, reference)


def _with_adapter(card: RewardModelCard, policy: LanguageModel, source: BaseSource) -> Any:
    """The PEFT model around the policy's network, whose own layers carry the adapter from now."""
    from peft import PeftConfig, PeftModel

    folder: Path = weights.fetch(source)
    try:
        config = PeftConfig.from_pretrained(folder)
        if config.task_type not in (None, "CAUSAL_LM"):
            raise ModelLoadError(
                f"{card.id}: the adapter is for {config.task_type}, not for a language model."
            )
        peft = PeftModel.from_pretrained(policy.network, folder)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelLoadError(
            f"{card.id}: the adapter in {folder} does not fit its base: {error}"
        ) from error
    peft.eval().requires_grad_(False)
    policy.fingerprint = f"{policy.fingerprint}:{weights.folder_hash(folder)}"
    return peft


def _differ(policy: LanguageModel, reference: LanguageModel) -> bool:
    if policy.tokenizer is reference.tokenizer:
        return False
    return bool(policy.tokenizer.get_vocab() != reference.tokenizer.get_vocab())
