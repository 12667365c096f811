"""What a trainer reads: the prompts as groups of token ids, and the batches they go in.

A group is one prompt with all its responses, the chosen one first; a group is never divided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from core.errors import TableError
from core.schema import Conversation, with_response
from core.training.preferences import AuthoredPrompt

Encode = Callable[[Conversation], tuple[int, ...]]
"""A conversation as the token ids the model reads."""

SWAPPED = "swapped"
"""The kind of a rejected response that is the good response to another prompt."""


@dataclass(frozen=True)
class TrainingText:
    """One conversation to be scored: its kind ("good", a flaw, "swapped") and its token ids."""

    kind: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class TrainingGroup:
    """One prompt's texts: the chosen one first, then the rejected ones."""

    prompt_id: str
    category: str
    texts: tuple[TrainingText, ...]

    @property
    def n_tokens(self) -> int:
        """Length of the longest text."""
        return max(len(text.ids) for text in self.texts)


def template_encoder(
    tokenizer: PreTrainedTokenizerBase, template: str, *, max_length: int
) -> Encode:
    """Encodes with a raw template and without added special tokens, as a raw-template card does.

    Raises (when called):
        TableError: a conversation is longer than `max_length` tokens.
    """

    def encode(conversation: Conversation) -> tuple[int, ...]:
        messages: list[dict[str, str]] = [
            {"role": message["role"], "content": message["content"]} for message in conversation
        ]
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
        ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        if len(ids) > max_length:
            raise TableError(
                f"A training text has {len(ids)} tokens, more than the {max_length} of the recipe.",
                fix="Shorten it or raise max_length.",
            )
        return ids

    return encode


def make_groups(
    prompts: Sequence[AuthoredPrompt],
    encode: Encode,
    *,
    n_swapped: int = 0,
    n_nearest: int = 0,
    seed: int = 0,
) -> list[TrainingGroup]:
    """Encodes prompts into groups.

    Args:
        prompts: the prompts.
        encode: conversation to token ids.
        n_swapped: good responses of other prompts of the same category to add as rejected ones.
        n_nearest: how many of those come from the prompts most alike in wording.
        seed: of the choice of the others.
    """
    swaps = swapped_responses(prompts, n_swapped=n_swapped, n_nearest=n_nearest, seed=seed)
    groups = []
    for prompt, swapped in zip(prompts, swaps, strict=True):
        rejected = [(f.flaw, f.response) for f in prompt.flawed]
        rejected += [(SWAPPED, response) for response in swapped]
        texts = tuple(
            TrainingText(kind, encode(with_response(prompt.messages, response)))
            for kind, response in [("good", prompt.good), *rejected]
        )
        groups.append(TrainingGroup(prompt.id, prompt.category, texts))
    return groups


def swapped_responses(
    prompts: Sequence[AuthoredPrompt], *, n_swapped: int, n_nearest: int = 0, seed: int = 0
) -> list[list[str]]:
    """For each prompt, good responses of other prompts of its category, as many as there are.

    The first `n_nearest` belong to the prompts most alike in wording (cosine of character n-gram
    weights), nearest first; the rest are drawn at random.
    """
    rng = np.random.default_rng(seed)
    result: list[list[str]] = [[] for _ in prompts]
    for category in dict.fromkeys(prompt.category for prompt in prompts):
        members = [index for index, prompt in enumerate(prompts) if prompt.category == category]
        likeness = _likeness([prompts[index].prompt for index in members])
        for row, index in enumerate(members):
            ranked = np.argsort(-likeness[row], kind="stable")
            others = ranked[ranked != row]
            rest = rng.permutation(others[n_nearest:])
            chosen = [*others[:n_nearest], *rest][:n_swapped]
            result[index] = [prompts[members[other]].good for other in chosen]
    return result


def _likeness(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n, n) cosine similarity of the texts' character n-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    weights = vectors.fit_transform(texts)
    cosines: npt.NDArray[np.float64] = (weights @ weights.T).toarray()
    return cosines


def validation_split(
    prompts: Sequence[AuthoredPrompt], *, share: float, seed: int
) -> tuple[list[AuthoredPrompt], list[AuthoredPrompt]]:
    """Prompts to fit and prompts that decide when to stop, drawn by seed.

    Make groups of each part on its own: a swapped response must not cross over.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(prompts))
    chosen = set(order[: round(share * len(prompts))].tolist())
    fit = [prompt for index, prompt in enumerate(prompts) if index not in chosen]
    return fit, [prompts[index] for index in sorted(chosen)]


def with_fewer_swapped(
    group: TrainingGroup, n_kept: int, rng: np.random.Generator | None = None
) -> TrainingGroup:
    """The group with at most `n_kept` swapped texts: the first ones, or ones drawn by `rng`."""
    swapped = [index for index, text in enumerate(group.texts) if text.kind == SWAPPED]
    order = rng.permutation(swapped).tolist() if rng is not None else swapped
    left_out = set(order[n_kept:])
    texts = tuple(text for index, text in enumerate(group.texts) if index not in left_out)
    return replace(group, texts=texts)


def epoch_batches(
    groups: Sequence[TrainingGroup], *, prompts_per_batch: int, rng: np.random.Generator
) -> list[list[TrainingGroup]]:
    """One epoch's batches in random order, each of groups of similar length.

    Groups are shuffled and sorted by length only within windows of eight batches, so that
    a prompt meets other neighbours in every epoch and padding stays small.
    """
    shuffled = [groups[index] for index in rng.permutation(len(groups))]
    window = 8 * prompts_per_batch
    ordered: list[TrainingGroup] = []
    for start in range(0, len(shuffled), window):
        ordered += sorted(shuffled[start : start + window], key=lambda group: group.n_tokens)
    batches = [
        ordered[start : start + prompts_per_batch]
        for start in range(0, len(ordered), prompts_per_batch)
    ]
    return [batches[index] for index in rng.permutation(len(batches))]
