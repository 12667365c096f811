"""A flaw planted on purpose: an attribute put into chosen and rejected responses at chosen rates.

Whoever is rewarded for what stands in the chosen responses learns the attribute with the quality.
So one can see a plain model pick it up, and an invariant one refuse it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.invariance.linear_head import HeadError, PairFeatures
from core.labs.invariance.rows import require_columns
from core.labs.pairs import PAIR_TEXT_COLUMNS, SIDES
from core.perturbations import Perturbation
from core.schema import with_response
from core.stats import FloatArray

Edit = Callable[[str], str | None]
"""Gives a response the attribute; None where it cannot."""


@dataclass(frozen=True)
class BiasedPairs:
    """Pairs with a planted bias.

    Attributes:
        pairs: the table, with the columns `chosen_biased` and `rejected_biased`: whether the
            response has been given the attribute.
        left_out: responses that were drawn but could not be given it, counted by reason.
    """

    pairs: pd.DataFrame
    left_out: Mapping[str, int]


def inject_text_bias(
    pairs: pd.DataFrame,
    edit: Perturbation | Edit,
    *,
    p_chosen: float = 0.8,
    p_rejected: float = 0.2,
    rng: np.random.Generator,
) -> BiasedPairs:
    """Edits chosen responses at one rate and rejected ones at another.

    Args:
        pairs: a table with `core.labs.pairs.PAIR_TEXT_COLUMNS`.
        edit: gives a response the attribute: a perturbation of the response, or a function.
        p_chosen: share of chosen responses that get it, from 0 to 1.
        p_rejected: share of rejected ones.
        rng: the source of the draws.

    Raises:
        TableError: a column is missing, a rate is out of range, or the perturbation edits the
            prompt.

    Source: Wang et al. 2025 (arXiv 2501.09620), the .8 and .2 of their sycophancy experiment.
    """
    require_columns(pairs, PAIR_TEXT_COLUMNS, "table of pairs")
    if isinstance(edit, Perturbation) and edit.target != "response":
        raise TableError(f"{edit.name} edits the {edit.target}, not the response.")
    left_out: Counter[str] = Counter()
    table = pairs.copy()
    for side, rate in zip(SIDES, (p_chosen, p_rejected), strict=True):
        drawn = _drawn(len(pairs), rate, rng)
        texts: list[object] = []
        biased: list[bool] = []
        for prompt, text, wanted in zip(pairs["prompt"], pairs[side], drawn, strict=True):
            new = _edited(edit, prompt, text, left_out) if wanted else None
            texts.append(text if new is None else new)
            biased.append(new is not None)
        table[side] = pd.Series(texts, index=table.index, dtype=object)
        table[f"{side}_biased"] = biased
    return BiasedPairs(table, dict(left_out))


def inject_feature_bias(
    pairs: PairFeatures,
    direction: npt.ArrayLike,
    *,
    p_chosen: float = 0.8,
    p_rejected: float = 0.2,
    rng: np.random.Generator,
) -> PairFeatures:
    """Adds a direction to features of chosen responses at one rate and of rejected at another.

    Args:
        pairs: the features; their bins are replaced by 1 (with the attribute) and 0 (without).
        direction: (d,) what the attribute adds to a response's features.
        p_chosen: share of chosen responses that get it, from 0 to 1.
        p_rejected: share of rejected ones.
        rng: the source of the draws.

    Raises:
        HeadError: the direction does not have the features' length.
        TableError: a rate is out of range.
    """
    added: FloatArray = np.asarray(direction, dtype=np.float64)
    if added.shape != (pairs.chosen.shape[1],):
        raise HeadError(f"A direction of shape {added.shape} for {pairs.chosen.shape[1]} features.")
    chosen = _drawn(len(pairs), p_chosen, rng)
    rejected = _drawn(len(pairs), p_rejected, rng)
    return replace(
        pairs,
        chosen=pairs.chosen + chosen[:, None] * added,
        rejected=pairs.rejected + rejected[:, None] * added,
        chosen_bins=chosen.astype(np.int64),
        rejected_bins=rejected.astype(np.int64),
    )


def _drawn(n: int, rate: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    if not 0 <= rate <= 1:
        raise TableError(f"The rate {rate} is not between 0 and 1.")
    return np.asarray(rng.random(n) < rate)


def _edited(
    edit: Perturbation | Edit, prompt: object, text: object, left_out: Counter[str]
) -> str | None:
    """The text with the attribute, or None and a reason counted."""
    if not isinstance(text, str):
        left_out["the response is not text"] += 1
        return None
    if not isinstance(edit, Perturbation):
        new = edit(text)
        if new is None or new == text:
            left_out["the edit did not apply"] += 1
            return None
        return new
    outcome = edit.apply(with_response(prompt, text))  # type: ignore[arg-type]
    if not outcome.applied:
        left_out[outcome.reason] += 1
        return None
    return outcome.conversation[-1]["content"]
