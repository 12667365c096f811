"""Were the values squashed? A server that applies a sigmoid hides how far apart large rewards are.

The probe asks for a few known texts before and after the activation. The inverse is used only where
a card says that a sigmoid cannot be avoided, and says how uncertain it leaves each reward.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.models.base import FloatArray
from core.schema import Conversation, make_conversation

PROBE_PAIRS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of France?", "Bananas are best stored at room temperature."),
    ("How many legs does a spider have?", "A spider has eight legs."),
    (
        "How many legs does a spider have?",
        "I refuse to talk about that, and you should be ashamed.",
    ),
    ("Write one sentence about the sea.", "The sea lay calm and grey under the first light."),
    ("Write one sentence about the sea.", "sea sea sea sea sea sea sea sea sea sea sea sea"),
    ("What is 7 times 8?", "7 times 8 is 56."),
    ("What is 7 times 8?", "7 times 8 is 54, as everybody knows!!!"),
)
"""Right or sensible answers and poor ones, so that the rewards of any sound model spread."""

SIGMOID_TOLERANCE = 0.02
"""How far a value may lie from the sigmoid of its raw value: bfloat16 has steps of 0.004 near 1."""
ONES_TOLERANCE = 0.01
"""How far from ±1 values that were normalised to length 1 may lie, in a coarse number format."""
WIDEST = 1.0
"""Half-width of a recovered reward, in its own units, beyond which it says nothing."""
_MANTISSAS = (8, 11, 24, 53)
"""Bits of precision of bfloat16, float16, float32 and float64."""

ActivationState = Literal["raw", "activated", "constant", "unclear"]


@dataclass(frozen=True)
class ActivationProbe:
    """What a server's values look like.

    Attributes:
        state: "raw"; "activated" (squashed to 0–1); "constant" (all the same, as a softmax over one
            class is, or nothing but ±1, as a normalised value is); "unclear" (all within 0–1, and
            nothing tells why).
        plain: values of the probe texts, asked for as the card asks for rewards.
        switched: the same asked for after the activation, None for engines without that switch.
        detail: what was seen, in a sentence.
    """

    state: ActivationState
    plain: tuple[float, ...]
    switched: tuple[float, ...] | None
    detail: str


def probe_texts() -> list[Conversation]:
    """The conversations of the activation probe."""
    return [make_conversation(prompt, response) for prompt, response in PROBE_PAIRS]


def judge_activation(
    plain: Sequence[float], switched: Sequence[float] | None = None
) -> ActivationProbe:
    """Whether values are raw, from those of a few texts.

    Args:
        plain: values asked for without activation; those that are not finite are left out.
        switched: the same texts asked for with activation, None where the engine has no switch.
    """
    values = np.asarray(plain, dtype=np.float64)
    other = None if switched is None else np.asarray(switched, dtype=np.float64)
    usable = np.isfinite(values) if other is None else np.isfinite(values) & np.isfinite(other)
    state, detail = _judged(values[usable], None if other is None else other[usable])
    after = None if switched is None else tuple(map(float, switched))
    return ActivationProbe(state, tuple(map(float, plain)), after, detail)


def _judged(values: FloatArray, other: FloatArray | None) -> tuple[ActivationState, str]:
    n = len(values)
    if n < 2:
        return "unclear", f"Only {n} of the probe texts has a value."
    low, high = float(values.min()), float(values.max())
    span = f"{n} probe texts lie between {low:.4g} and {high:.4g}"
    if high == low:
        return "constant", f"All {n} probe texts have the same value {high:.4g}."
    if float(np.abs(np.abs(values) - 1).max()) <= ONES_TOLERANCE:
        return (
            "constant",
            f"All {n} probe texts are +1 or −1: the server divides each value by its own size, "
            "and only the sign is left.",
        )
    if low < 0 or high > 1:
        return "raw", f"{span}, outside 0 to 1."
    if other is not None:
        if float(np.abs(values - other).max()) <= SIGMOID_TOLERANCE * (high - low):
            return "activated", f"{span}, and asking without activation changes nothing."
        if float(np.abs(_sigmoid(values) - other).max()) <= SIGMOID_TOLERANCE:
            return "raw", f"{span}, and the activated values are the sigmoid of these."
    return "unclear", f"{span}: what a sigmoid leaves, though raw values may lie there too."


def undo_sigmoid(probability: float) -> tuple[float, float]:
    """The value before a sigmoid, and how far off it may be.

    The half-width is what the rounding of `probability` leaves open: it is at least half a step of
    the coarsest number format (bfloat16, float16, float32, float64) that can hold the value, and
    grows without bound towards 0 and 1, where many rewards round to one probability.

    Args:
        probability: from 0 to 1.

    Returns:
        logit and half-width; the half-width is infinite at 0 and 1.

    Raises:
        ValueError: when it is not between 0 and 1.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"{probability} is not between 0 and 1")
    if probability in (0.0, 1.0):
        return math.copysign(math.inf, probability - 0.5), math.inf
    half = rounding_step(probability) / 2
    low, high = probability - half, probability + half
    value = _logit(probability)
    below = value - _logit(low) if low > 0 else math.inf
    above = _logit(high) - value if high < 1 else math.inf
    return value, max(below, above)


def rounding_step(value: float) -> float:
    """Distance between neighbours of `value` in the coarsest binary format that holds it exactly.

    Values that survive a decimal round trip as float32 are read as float32.
    """
    mantissa, exponent = math.frexp(value)
    if float(np.float32(value)) != value and abs(float(np.float32(value)) - value) <= 1e-7 * value:
        mantissa, exponent = math.frexp(float(np.float32(value)))
    for bits in _MANTISSAS:
        if (mantissa * 2.0**bits).is_integer():
            return float(2.0 ** (exponent - bits))
    return float(2.0 ** (exponent - _MANTISSAS[-1]))


def _logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)
