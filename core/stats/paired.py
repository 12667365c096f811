"""Tests of a difference between two things measured on the same pairs or prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from core.stats.clusters import FloatArray, cluster_codes, cluster_sums, usable_rows

_MAX_CELLS_PER_BATCH = 4_000_000


@dataclass(frozen=True)
class TestResult:
    """A test of a null hypothesis.

    Attributes:
        statistic: what was tested, in the unit its test states; NaN when nothing could be used.
        p_value: two-sided, from 0 to 1; NaN when nothing could be used.
        n: rows it is made of.
        n_prompts: distinct prompts among them.
        method: which test, and how its p-value was made.
        left_out: rows that could not be used, counted by reason.
    """

    __test__: ClassVar[bool] = False  # its name would make pytest collect it

    statistic: float
    p_value: float
    n: int
    n_prompts: int
    method: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def sign_flip_test(
    differences: npt.ArrayLike,
    clusters: Sequence[object],
    *,
    rng: np.random.Generator,
    n_permutations: int = 10_000,
) -> TestResult:
    """Is the mean of paired differences zero? Two-sided, all rows of a cluster flip together.

    Under the null hypothesis that a prompt's differences are as likely as their negatives, every
    pattern of signs is equally likely. The p-value is the share of patterns whose absolute mean is
    at least the one seen: over all patterns where they are at most `n_permutations`, else
    (1 + those among the drawn) / (1 + drawn), which can never be zero.

    Args:
        differences: (n,) differences; NaN and infinite ones are left out and counted.
        clusters: (n,) what each row belongs to (its prompt).
        rng: the source of the signs; unused where all patterns are enumerated.
        n_permutations: patterns at most.

    Returns:
        The test; `statistic` is the mean difference.

    Raises:
        ValueError: when the lengths differ.

    Source: Fisher 1935, The Design of Experiments, section 21; the 1 that is added is from Phipson
    and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, eq. 2.
    """
    usable, kept, reasons = usable_rows(differences, clusters, None)
    if not len(usable):
        nan = float("nan")
        return TestResult(nan, nan, 0, 0, "sign flip: nothing to test", reasons)
    sums, _ = cluster_sums(usable, cluster_codes(kept))
    n_clusters = len(sums)
    # Rounding must not make a pattern that equals the one seen look smaller.
    threshold = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if n_clusters < 62 and 2**n_clusters <= n_permutations:
        totals = _all_totals(sums)
        p_value = float((np.abs(totals) >= threshold).mean())
        method = f"sign flip over prompts, all {len(totals):,} patterns"
    else:
        reached = _count_reached(sums, threshold, rng, n_permutations)
        p_value = (1 + reached) / (1 + n_permutations)
        method = f"sign flip over prompts, {n_permutations:,} random patterns"
    return TestResult(float(usable.mean()), p_value, len(usable), n_clusters, method, reasons)


def _all_totals(sums: FloatArray) -> FloatArray:
    """The total under each of the 2**n patterns of signs."""
    totals = np.zeros(1)
    for value in sums:
        totals = np.concatenate([totals + value, totals - value])
    return totals


def _count_reached(
    sums: FloatArray, threshold: float, rng: np.random.Generator, n_permutations: int
) -> int:
    reached, done = 0, 0
    step = max(1, _MAX_CELLS_PER_BATCH // len(sums))
    while done < n_permutations:
        n_rows = min(step, n_permutations - done)
        signs = rng.integers(0, 2, size=(n_rows, len(sums)), dtype=np.int8) * 2.0 - 1.0
        reached += int((np.abs(signs @ sums) >= threshold).sum())
        done += n_rows
    return reached


def mcnemar_test(
    first_right: npt.ArrayLike,
    second_right: npt.ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
) -> TestResult:
    """Are two models right equally often? Exact test on the pairs only one of them gets right.

    Under the null hypothesis each such pair is as likely to be the first's as the second's. The
    test takes pairs as independent; where several share a prompt its p-value is too small, and
    `sign_flip_test` on the difference of credits is the one to read. `method` says so.

    Args:
        first_right: (n,) whether the first model is right; true or false.
        second_right: (n,) the same of the second.
        clusters: (n,) the prompt of each pair, to count them; by default a prompt a pair.

    Returns:
        The test; `statistic` is the number of pairs only the second gets right minus the number
        only the first gets right, so that over `n` it is the difference in accuracy.

    Raises:
        ValueError: when the lengths differ.

    Source: McNemar 1947, Psychometrika 12; exact two-sided binomial form.
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    prompts = list(clusters) if clusters is not None else list(range(len(first)))
    if not len(first) == len(second) == len(prompts):
        raise ValueError(f"{len(first)} and {len(second)} pairs, {len(prompts)} clusters.")
    n_prompts = len(set(prompts))
    if not len(first):
        nan = float("nan")
        return TestResult(nan, nan, 0, 0, "McNemar: nothing to test")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n_discordant = only_first + only_second
    p_value = float(scipy_stats.binomtest(only_first, n_discordant).pvalue) if n_discordant else 1.0
    method = f"McNemar, exact, on {n_discordant:,} discordant pairs"
    if n_prompts < len(first):
        method += "; takes pairs of one prompt as independent, so p is too small"
    return TestResult(float(only_second - only_first), p_value, len(first), n_prompts, method)
