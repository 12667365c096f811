"""Is a candidate better than the baseline? Tests and intervals on the pairs both have scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.scores import FloatArray, PairScores
from core.labs.compare.tidy import TEST_COLUMNS, outcome_columns
from core.stats import (
    Estimate,
    TestResult,
    false_discovery,
    mcnemar_test,
)

TIES = "tie under one of the two"

MCNEMAR = "McNemar"
ACCURACY_FLIP = "sign flip of accuracy"
MARGIN_FLIP = "sign flip of standardised margins"
TESTS = (MCNEMAR, ACCURACY_FLIP, MARGIN_FLIP)


@dataclass(frozen=True)
class PairedComparison:
    """A candidate against a baseline. Differences are candidate - baseline.

    Attributes:
        baseline: the model before.
        candidate: the model after.
        accuracy_baseline: on the pairs both have a margin for; a tie counts as half.
        accuracy_candidate: the same.
        accuracy_difference: paired, with a bootstrap interval over prompts.
        margin_difference: mean difference of the margins, each in units of its model's root mean
            square margin. The units are taken as known in the interval and the test.
        tests: by name (`TESTS`). McNemar leaves out ties, which it has no place for, and takes
            pairs of one prompt as independent; the sign flips do neither.
        detectable_accuracy: the smallest true difference in accuracy this table would have shown
            in 4 of 5 tables like it; NaN where no difference varies over prompts.
        detectable_margin: the same of the standardised margins.
        left_out: pairs without a margin under one of the two, by reason.
    """

    baseline: str
    candidate: str
    accuracy_baseline: Estimate
    accuracy_candidate: Estimate
    accuracy_difference: Estimate
    margin_difference: Estimate
    tests: Mapping[str, TestResult]
    detectable_accuracy: float
    detectable_margin: float
    left_out: Mapping[str, int]


def compare_paired(
    scores: PairScores, baseline: str, candidate: str, options: CompareOptions | None = None
) -> PairedComparison:
    """All tests of one candidate against the baseline.

    Raises:
        CompareError: a model that is not in the table.
    """
    both = [baseline, candidate]
    rows, left_out = scores.usable(both), scores.left_out(both)
    over = OverPrompts(
        scores.prompts(rows), options or CompareOptions(), ("paired", *both), left_out
    )
    before, after = scores.credits(baseline)[rows], scores.credits(candidate)[rows]
    gained = after - before
    with np.errstate(invalid="ignore"):
        change = scores.standard_margins[candidate] - scores.standard_margins[baseline]
    moved = change.to_numpy(dtype=np.float64)[rows]
    return PairedComparison(
        baseline,
        candidate,
        over.share(before, "before"),
        over.share(after, "after"),
        over.share_difference(gained, "accuracy"),
        over.mean(moved, "margin"),
        {
            MCNEMAR: _mcnemar(before, after, over.prompts),
            ACCURACY_FLIP: over.sign_flip(gained, ACCURACY_FLIP),
            MARGIN_FLIP: over.sign_flip(moved, MARGIN_FLIP),
        },
        over.detectable(gained),
        over.detectable(moved),
        left_out,
    )


def _mcnemar(before: FloatArray, after: FloatArray, prompts: Sequence[str]) -> TestResult:
    decided = (before != 0.5) & (after != 0.5)
    kept = [prompt for prompt, usable in zip(prompts, decided, strict=True) if usable]
    found = mcnemar_test(before[decided] == 1, after[decided] == 1, clusters=kept)
    n_ties = int((~decided).sum())
    return replace(found, left_out={TIES: n_ties} if n_ties else {})


def outcomes_table(comparisons: Sequence[PairedComparison]) -> pd.DataFrame:
    """One row a candidate and test: the outcome's columns and `p_adjusted`.

    `p_adjusted` is corrected for the number of candidates (Benjamini-Hochberg, for each test on its
    own: the three tests of one candidate are three views of one question).
    """
    table = pd.DataFrame(
        [
            {"baseline": one.baseline, "candidate": one.candidate, "test": name}
            | outcome_columns(one.tests[name])
            for one in comparisons
            for name in TESTS
        ],
        columns=["baseline", "candidate", "test", *TEST_COLUMNS],
    )
    adjusted = table.groupby("test", sort=False)["p_value"].transform(
        lambda values: false_discovery(values.to_numpy(dtype=np.float64))
    )
    return table.assign(p_adjusted=adjusted)
