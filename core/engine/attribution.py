"""Which words moved the number: leaving units out, gradients as a second opinion, and the trace.

Leaving a word out and scoring again is a causal statement about the model. Gradient times input is
cheaper and often disagrees, so both are shown with their rank agreement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy import stats

from core.engine.templating import EncodedConversation
from core.models.base import FloatArray, TokenSequence
from core.schema import Conversation, Message
from core.segments import Segment, sentences, words

Unit = Literal["word", "sentence"]
Score = Callable[[Sequence[Conversation]], FloatArray]
"""Rewards of conversations, (n,), in order; NaN where one could not be scored."""


class GradientModel(Protocol):
    """A model that gives token gradients (see `Capability.TOKEN_GRADIENTS`)."""

    def gradient_times_input(self, sequence: TokenSequence) -> FloatArray:
        """Gradient times input of each token, (n_tokens,)."""


@dataclass(frozen=True)
class Attribution:
    """How much each unit of one message contributes to the reward.

    Attributes:
        message_index: the message the units belong to.
        text: that message's content.
        units: character ranges in `text`; they tile it.
        values: (len(units),) float64, in units of reward; positive where the unit pushes the
            reward up. NaN where it could not be computed.
        method: "occlusion" or "gradient x input".
    """

    message_index: int
    text: str
    units: tuple[tuple[int, int], ...]
    values: FloatArray
    method: str


@dataclass(frozen=True)
class RewardTrace:
    """The reward of the response cut after each sentence.

    Attributes:
        ends: character position in the response after each sentence.
        rewards: (len(ends),) the reward of the response up to there.
    """

    response: str
    ends: tuple[int, ...]
    rewards: FloatArray


def split_units(text: str, unit: Unit) -> list[Segment]:
    """The words or sentences of a text; their ranges tile it."""
    return words(text) if unit == "word" else sentences(text)


def occluded_conversations(
    conversation: Conversation, *, unit: Unit, message_index: int = -1
) -> list[list[Message]]:
    """The conversation with each unit of one message left out in turn.

    Their number is the cost of `occlusion`, less what prefix reuse saves.
    """
    index = message_index % len(conversation)
    text = conversation[index]["content"]
    return [
        _with_content(conversation, index, text[: piece.start] + text[piece.end :])
        for piece in split_units(text, unit)
    ]


def occlusion(
    score: Score, conversation: Conversation, *, unit: Unit, message_index: int = -1
) -> Attribution:
    """The fall of the reward when each unit is left out.

    Args:
        score: rewards of conversations.
        message_index: the message whose units are left out, by default the response.

    Returns:
        values[i] = reward(whole) - reward(without unit i).
    """
    index = message_index % len(conversation)
    text = conversation[index]["content"]
    units = split_units(text, unit)
    variants = occluded_conversations(conversation, unit=unit, message_index=index)
    rewards = score([conversation, *variants])
    values = rewards[0] - rewards[1:]
    ranges = tuple((piece.start, piece.end) for piece in units)
    return Attribution(index, text, ranges, values, "occlusion")


def gradient_times_input(
    model: GradientModel,
    encoded: EncodedConversation,
    conversation: Conversation,
    *,
    unit: Unit,
    message_index: int = -1,
) -> Attribution:
    """Gradient times input, summed over the tokens of each unit.

    A token belongs to the unit that holds most of its characters. Units whose tokens were cut off
    get 0; where the template changed the message beyond recognition all values are NaN.
    """
    index = message_index % len(conversation)
    text = conversation[index]["content"]
    units = split_units(text, unit)
    ranges = tuple((piece.start, piece.end) for piece in units)
    values = np.zeros(len(units))
    span = next((s for s in encoded.spans if s.message_index == index), None)
    if span is None or span.chars is None:
        return Attribution(index, text, ranges, values * np.nan, "gradient x input")
    # The template may have trimmed the content at its beginning.
    shift = span.chars[0] - max(0, text.find(encoded.text[slice(*span.chars)]))
    ends = np.array([end for _, end in ranges])
    products = model.gradient_times_input(encoded.sequence)
    for product, (start, end) in zip(products, encoded.offsets, strict=True):
        middle = (start + end) / 2 - shift
        inside = end > start and start >= span.chars[0] and end <= span.chars[1]
        if inside and len(ends):
            values[min(int(np.searchsorted(ends, middle, side="right")), len(ends) - 1)] += product
    return Attribution(index, text, ranges, values, "gradient x input")


def rank_agreement(first: Attribution, second: Attribution) -> float:
    """Spearman's rank correlation of two attributions of the same units; NaN below three units."""
    both = np.isfinite(first.values) & np.isfinite(second.values)
    if both.sum() < 3 or np.ptp(first.values[both]) == 0 or np.ptp(second.values[both]) == 0:
        return float("nan")
    return float(stats.spearmanr(first.values[both], second.values[both]).statistic)


def reward_trace(score: Score, conversation: Conversation) -> RewardTrace:
    """The reward after each sentence of the response, as if it ended there."""
    response = conversation[-1]["content"]
    ends = tuple(piece.end for piece in sentences(response))
    cut = [
        _with_content(conversation, len(conversation) - 1, response[:end].rstrip()) for end in ends
    ]
    return RewardTrace(response, ends, score(cut) if cut else np.empty(0))


def _with_content(conversation: Conversation, index: int, content: str) -> list[Message]:
    messages = [Message(role=m["role"], content=m["content"]) for m in conversation]
    messages[index] = Message(role=messages[index]["role"], content=content)
    return messages
