"""How far models agree on the same pairs: by order, by winner and by size of the margins."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import FloatArray, PairScores
from core.labs.compare.tidy import estimate_columns, records
from core.stats import Estimate, cluster_codes, jackknife_correlation

KENDALL = "Kendall's tau of margins"
SAME_WINNER = "same winner"
CORRELATION = "correlation of margins"
MEASURES = (KENDALL, SAME_WINNER, CORRELATION)

_MAX_CELLS_PER_BLOCK = 4_000_000


@dataclass(frozen=True)
class Agreement:
    """Agreement of each two models.

    Attributes:
        models: names, in the order of the table.
        table: one row for each two models (`first`, `second`) and `measure` (one of `MEASURES`),
            with the estimate's columns.
        left_out: for each two models, pairs without a margin under one of them, by reason.
    """

    models: tuple[str, ...]
    table: pd.DataFrame
    left_out: Mapping[tuple[str, str], Mapping[str, int]]

    def matrix(self, measure: str, column: str = "value") -> pd.DataFrame:
        """One measure as a symmetric table, models by models; a model agrees with itself."""
        names = list(self.models)
        square = pd.DataFrame(1.0 if column == "value" else np.nan, index=names, columns=names)
        for row in records(self.table[self.table["measure"] == measure]):
            square.loc[row["first"], row["second"]] = row[column]
            square.loc[row["second"], row["first"]] = row[column]
        return square


def measure_agreement(scores: PairScores, options: CompareOptions | None = None) -> Agreement:
    """Three measures for each two models, on the pairs both have a margin for.

    - Kendall's tau-b of the margins: do they order the pairs alike, from the clearest to the most
      wrong? Only the order counts, so the models' units do not.
    - Same winner: the share of pairs on which they prefer the same response. Two ties agree, a tie
      against a winner counts as half. Two models that are right on 90 % of the pairs each share
      at least 80 % of the winners, so read it beside the accuracies.
    - Pearson's correlation of the margins, on finite ones.
    """
    chosen = options or CompareOptions()
    rows, left_out = [], {}
    for first, second in combinations(scores.models, 2):
        left_out[first, second] = scores.left_out([first, second])
        for measure, estimate in _measured(scores, first, second, chosen).items():
            names = {"first": first, "second": second, "measure": measure}
            rows.append(names | estimate_columns(estimate))
    return Agreement(scores.models, pd.DataFrame(rows), left_out)


def _measured(
    scores: PairScores, first: str, second: str, options: CompareOptions
) -> dict[str, Estimate]:
    rows = scores.usable([first, second])
    a, b = (scores.values(scores.margins, model, rows) for model in (first, second))
    prompts, left_out = scores.prompts(rows), scores.left_out([first, second])
    over = OverPrompts(prompts, options, (first, second), left_out)
    finite = np.isfinite(a) & np.isfinite(b)
    infinite = {"infinite": int((~finite).sum())} if not finite.all() else {}
    finite_prompts = [prompt for prompt, kept in zip(prompts, finite, strict=True) if kept]
    return {
        KENDALL: kendall_tau(a, b, prompts, confidence=options.confidence, left_out=left_out),
        SAME_WINNER: over.share(1 - np.abs(np.sign(a) - np.sign(b)) / 2, "agreement"),
        CORRELATION: margin_correlation(
            a[finite],
            b[finite],
            finite_prompts,
            confidence=options.confidence,
            left_out={**left_out, **infinite},
        ),
    }


def kendall_tau(
    a: FloatArray,
    b: FloatArray,
    prompts: list[str],
    *,
    confidence: float = 0.95,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """Kendall's tau-b of two lists with an interval over prompts.

    Args:
        a: (n,) numbers, infinite ones allowed, NaN not.
        b: (n,) the same.
        prompts: (n,) the prompt of each row; each is left out once for the interval.
        confidence: coverage of the interval.
        left_out: rows the caller could not use, by reason; passed on.

    Source: Kendall 1945, Biometrika 33 (tau-b). NaN where one list has no order.
    """
    codes = cluster_codes(prompts)
    n_prompts = int(codes.max()) + 1 if len(codes) else 0
    # Ranks keep the order and the ties, and infinite margins have them too.
    ranks = scipy_stats.rankdata(a), scipy_stats.rankdata(b)
    of_rows = _concordance_by_row(*ranks)
    across = np.stack([np.bincount(codes, sums, n_prompts) for sums in of_rows])
    within = np.zeros_like(across)
    order = np.argsort(codes, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(codes, minlength=n_prompts))[:-1]):
        if len(members) > 1:
            inside = _concordance_by_row(ranks[0][members], ranks[1][members]).sum(axis=1)
            within[:, codes[members[0]]] = inside
    total = of_rows.sum(axis=1)
    value = float(_tau(total[:, None])[0])
    without = _tau(total[:, None] - 2 * across + within)
    return jackknife_correlation(
        value, without, n=len(codes), confidence=confidence, left_out=left_out
    )


def _concordance_by_row(a: FloatArray, b: FloatArray) -> FloatArray:
    """(3, n): for each row, summed over all rows, sign agreement, untied in a, untied in b."""
    n = len(a)
    sums = np.zeros((3, n))
    step = max(1, _MAX_CELLS_PER_BLOCK // max(n, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        sign_a = np.sign(a[block, None] - a[None, :]).astype(np.int8)
        sign_b = np.sign(b[block, None] - b[None, :]).astype(np.int8)
        sums[0, block] = (sign_a * sign_b).sum(axis=1)
        sums[1, block] = np.count_nonzero(sign_a, axis=1)
        sums[2, block] = np.count_nonzero(sign_b, axis=1)
    return sums


def _tau(sums: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = sums[0] / np.sqrt(sums[1] * sums[2])
    return np.where(np.isfinite(tau), tau, np.nan)


def margin_correlation(
    a: FloatArray,
    b: FloatArray,
    prompts: list[str],
    *,
    confidence: float = 0.95,
    left_out: Mapping[str, int] | None = None,
) -> Estimate:
    """Pearson's correlation with an interval over prompts.

    Args:
        a: (n,) finite numbers.
        b: (n,) the same.
        prompts: (n,) the prompt of each row; each is left out once for the interval.
        confidence: coverage of the interval.
        left_out: rows the caller could not use, by reason; passed on.

    Returns:
        The correlation; NaN where one list is constant.
    """
    codes = cluster_codes(prompts)
    n_prompts = int(codes.max()) + 1 if len(codes) else 0
    # Centred first, so that leaving out by subtraction loses no digits.
    x, y = (values - values.mean() if len(values) else values for values in (a, b))
    parts = (np.ones_like(x), x, y, x * x, y * y, x * y)
    of_prompts = np.stack([np.bincount(codes, part, n_prompts) for part in parts])
    total = of_prompts.sum(axis=1, keepdims=True)
    value = float(_pearson(total)[0])
    without = _pearson(total - of_prompts)
    return jackknife_correlation(
        value, without, n=len(codes), confidence=confidence, left_out=left_out
    )


def _pearson(moments: FloatArray) -> FloatArray:
    n, x, y, xx, yy, xy = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        spread_x, spread_y = xx - x * x / n, yy - y * y / n
        # Rounding leaves a constant list with a spread that is not quite zero.
        constant = (spread_x <= 1e-12 * xx) | (spread_y <= 1e-12 * yy)
        correlation = (xy - x * y / n) / np.sqrt(spread_x * spread_y)
    usable = np.isfinite(correlation) & ~constant
    return np.where(usable, np.clip(correlation, -1, 1), np.nan)
