"""What a trainer reads: the prompts as groups of token ids, and the batches they go in.

A group is one prompt with all its responses, the chosen one first; a group is never divided.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from core.errors import TableError
from core.models.card import InputPart
from core.schema import Conversation, Message, with_response
from core.training.sources import ResponseGroup, TrainingData, TrainingResponse

Encode = Callable[[Conversation], tuple[int, ...]]
"""A conversation as the token ids the model reads."""

SWAPPED = "swapped"
"""The kind of a rejected response that is the good response to another prompt."""

SWAPPED_FLAWED = "swapped flawed"
"""The kind of a rejected response that is a flawed response to another prompt."""

NO_BIN = -1

_DATE = InputPart().date
"""Templates that print a date get the one that a card gives them."""

_FOREIGN_STREAM = 5
"""Keeps this use of the seed apart from others."""

_MOST_RANKED = 4000
"""Beyond as many prompts of a category, ranking them by likeness is left out where none asks."""


class Answered(Protocol):
    """A prompt with a good response, as far as swapping responses needs it."""

    @property
    def category(self) -> str:
        """Responses are swapped within it."""

    @property
    def prompt(self) -> str:
        """Its text."""

    @property
    def good(self) -> str:
        """The good response."""


@dataclass(frozen=True)
class TrainingText:
    """One conversation to be scored.

    Attributes:
        kind: "good", a flaw, "rejected", `SWAPPED` or `SWAPPED_FLAWED`.
        ids: its token ids.
        response: the response's text.
        planted: how much of the planted shortcut it shows; NaN where none was planted.
        value: of the attribute that the objective looks at; NaN where it looks at none.
        bin: which bin of that attribute it falls in, or `NO_BIN`.
        paraphrase: token ids of the conversation with the response reworded, or None.
        source: for a swapped response, the prompt it answers.
    """

    kind: str
    ids: tuple[int, ...]
    response: str = ""
    planted: float = math.nan
    value: float = math.nan
    bin: int = NO_BIN
    paraphrase: tuple[int, ...] | None = None
    source: str = ""


@dataclass(frozen=True)
class TrainingGroup:
    """One prompt's texts: the chosen one first, then the rejected ones."""

    prompt_id: str
    category: str
    texts: tuple[TrainingText, ...]
    messages: tuple[Message, ...] = ()

    @property
    def n_tokens(self) -> int:
        """Length of the longest text."""
        return max(len(text.ids) for text in self.texts)


def template_encoder(
    tokenizer: PreTrainedTokenizerBase, template: str, *, max_length: int
) -> Encode:
    """Encodes with a template and without added special tokens, as the published card does.

    Args:
        tokenizer: of the base.
        template: a raw Jinja template, or "" for the tokenizer's own chat template.
        max_length: tokens.

    Raises (when called):
        TableError: a conversation is longer than `max_length` tokens, or the template refuses it.
    """

    def encode(conversation: Conversation) -> tuple[int, ...]:
        messages: list[dict[str, str]] = [
            {"role": message["role"], "content": message["content"]} for message in conversation
        ]
        try:
            text = tokenizer.apply_chat_template(
                messages, chat_template=template or None, tokenize=False, date_string=_DATE
            )
        except TemplateError as error:
            raise TableError(f"The template refuses a training text: {error}") from error
        ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        if len(ids) > max_length:
            raise TableError(
                f"A training text has {len(ids)} tokens, more than the {max_length} of the recipe.",
                fix="Shorten it or raise max_length.",
            )
        return ids

    return encode


def readable_data(data: TrainingData, encode: Encode) -> TrainingData:
    """The data without the groups that have a text too long or refused, which are counted.

    Raises:
        TableError: fewer than two groups are left.
    """
    kept = []
    left_out = Counter(data.left_out)
    for group in data.groups:
        try:
            for response in group.responses:
                encode(with_response(group.messages, response.text))
        except TableError as error:
            refused = "refuses" in error.message
            reason = "refused by the template" if refused else "longer than max_length"
            left_out[reason] += len(group.responses) - 1
        else:
            kept.append(group)
    if len(kept) < 2:
        reasons = "; ".join(f"{count} pairs {reason}" for reason, count in left_out.items())
        raise TableError(f"Fewer than two prompts can be trained on: {reasons}.")
    return TrainingData(tuple(kept), data.source, dict(left_out))


def make_groups(
    groups: Sequence[ResponseGroup],
    encode: Encode,
    *,
    n_swapped: int = 0,
    n_nearest: int = 0,
    with_flawed: bool = False,
    seed: int = 0,
) -> list[TrainingGroup]:
    """Encodes groups of responses.

    Args:
        groups: the prompts with their responses.
        encode: conversation to token ids.
        n_swapped: good responses of other prompts of the same category to add as rejected ones.
        n_nearest: how many of those come from the prompts most alike in wording.
        with_flawed: whether each of those brings a flawed response to the same prompt along.
        seed: of the choice of the others.
    """
    swaps = swapped_places(groups, n_swapped=n_swapped, n_nearest=n_nearest, seed=seed)
    result = []
    for group, others in zip(groups, swaps, strict=True):
        texts = [_text(group, response, encode) for response in group.responses]
        for place, other in enumerate(others):
            responses = _swapped_in(groups[other], with_flawed=with_flawed, turn=place)
            texts += [
                replace(_text(group, response, encode), source=groups[other].prompt_id)
                for response in responses
            ]
        result.append(TrainingGroup(group.prompt_id, group.category, tuple(texts), group.messages))
    return result


def _swapped_in(other: ResponseGroup, *, with_flawed: bool, turn: int) -> list[TrainingResponse]:
    """The good response of another prompt and, if asked for, one of its flawed ones by turns."""
    found = [replace(other.responses[0], kind=SWAPPED)]
    if with_flawed:
        flawed = other.responses[1:]
        found.append(replace(flawed[turn % len(flawed)], kind=SWAPPED_FLAWED))
    return found


def _text(group: ResponseGroup, response: TrainingResponse, encode: Encode) -> TrainingText:
    ids = encode(with_response(group.messages, response.text))
    return TrainingText(response.kind, ids, response.text, response.planted)


def under_foreign_prompts(
    groups: Sequence[ResponseGroup], n_draws: int, *, seed: int
) -> list[ResponseGroup]:
    """Every group's responses under `n_draws` prompts of other groups instead of their own.

    The same foreign prompt stands over all responses of a group, so that the data hold nothing that
    reading the prompt would explain, while every text keeps the form of a conversation. Trained
    so, a model meets any prompt and has learnt to rank responses alike under all of them; a model
    trained on bare responses would never have met one.

    Raises:
        TableError: there is no prompt but one.
    """
    rng = np.random.default_rng([seed, _FOREIGN_STREAM])
    if len({group.prompt for group in groups}) < 2:
        raise TableError("There is one prompt only, and foreign_prompts needs others.")
    result = []
    for group in groups:
        order = [groups[place] for place in rng.permutation(len(groups)).tolist()]
        others = [other for other in order if other.prompt != group.prompt]
        result += [replace(group, messages=other.messages) for other in others[:n_draws]]
    return result


def swapped_responses(
    prompts: Sequence[Answered], *, n_swapped: int, n_nearest: int = 0, seed: int = 0
) -> list[list[str]]:
    """For each prompt, good responses of other prompts; see `swapped_places`."""
    places = swapped_places(prompts, n_swapped=n_swapped, n_nearest=n_nearest, seed=seed)
    return [[prompts[place].good for place in others] for others in places]


def swapped_places(
    prompts: Sequence[Answered], *, n_swapped: int, n_nearest: int = 0, seed: int = 0
) -> list[list[int]]:
    """For each prompt, positions of other prompts of its category, as many as there are.

    The first `n_nearest` are the prompts most alike in wording (cosine of character n-gram
    weights), nearest first; the rest are drawn at random.
    """
    rng = np.random.default_rng(seed)
    result: list[list[int]] = [[] for _ in prompts]
    for category in dict.fromkeys(prompt.category for prompt in prompts) if n_swapped else ():
        members = [index for index, prompt in enumerate(prompts) if prompt.category == category]
        for index, ranked in zip(members, _ranked(prompts, members, n_nearest), strict=True):
            others = [other for other in ranked if prompts[other].prompt != prompts[index].prompt]
            rest = rng.permutation(np.array(others[n_nearest:], dtype=np.int64)).tolist()
            result[index] = [*others[:n_nearest], *rest][:n_swapped]
    return result


def _ranked(
    prompts: Sequence[Answered], members: Sequence[int], n_nearest: int
) -> Iterator[list[int]]:
    """For each member, all members by likeness of the prompts, the most alike first."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(members) > _MOST_RANKED and not n_nearest:
        yield from (list(members) for _ in members)
        return
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    weights = vectors.fit_transform([prompts[index].prompt for index in members])
    for row in range(len(members)):
        likeness = (weights[row] @ weights.T).toarray()[0]
        yield [members[place] for place in np.argsort(-likeness, kind="stable")]


def validation_split(
    groups: Sequence[ResponseGroup], *, share: float, seed: int
) -> tuple[list[ResponseGroup], list[ResponseGroup]]:
    """Groups to fit and groups that decide when to stop, drawn by seed; a prompt stays whole.

    Swap responses within each part only: none must cross over.
    """
    prompt_ids = list(dict.fromkeys(group.prompt_id for group in groups))
    order = np.random.default_rng([seed, 1]).permutation(len(prompt_ids))
    chosen = {prompt_ids[place] for place in order[: round(share * len(prompt_ids))].tolist()}
    fit = [group for group in groups if group.prompt_id not in chosen]
    return fit, [group for group in groups if group.prompt_id in chosen]


def with_fewer_swapped(
    group: TrainingGroup, n_kept: int, rng: np.random.Generator | None = None
) -> TrainingGroup:
    """The group with the swapped texts of `n_kept` other prompts at most.

    The first ones are kept, or ones drawn by `rng`. What a swapped text brought along goes or stays
    with it.
    """
    swapped = [index for index, text in enumerate(group.texts) if text.kind == SWAPPED]
    order = rng.permutation(swapped).tolist() if rng is not None else swapped
    gone = {index for first in order[n_kept:] for index in _brought_along(group, first)}
    texts = tuple(text for index, text in enumerate(group.texts) if index not in gone)
    return replace(group, texts=texts)


def _brought_along(group: TrainingGroup, swapped: int) -> range:
    """Positions of a swapped text and of the flawed one right after it, if there is one."""
    after = swapped + 1
    has_flawed = after < len(group.texts) and group.texts[after].kind == SWAPPED_FLAWED
    return range(swapped, after + has_flawed)


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
