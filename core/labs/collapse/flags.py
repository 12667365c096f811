"""Reward up while pass@k goes down: the policy does better once and worse in k attempts.

Per run this is a finding: the gain lies on problems that were solved sometimes, the loss on those
that were solved rarely. Per problem it cannot be where the reward is correctness, because pass@k of
one problem rises with its share of right samples; there the reward must pay for something else, or
the number of distinct answers is what fell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from core.labs.collapse.at_k import problem_values
from core.labs.collapse.counts import per_group
from core.labs.collapse.windows import EARLY, LATE, describe_windows, in_windows
from core.stats import Estimate, clustered_mean, false_discovery, sign_flip_test

KEYS = ("run", "problem_id")


@dataclass(frozen=True)
class FlagOptions:
    """When the flag goes up.

    Attributes:
        k: samples of pass@k.
        share: of the steps in the early and in the late window, at most 0.5.
        alpha: level of the tests.
        confidence: of the intervals.
        seed: of the resampling.
    """

    k: int = 8
    share: float = 0.25
    alpha: float = 0.05
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class RunFlag:
    """One run.

    Attributes:
        run: its name.
        reward: change of the mean reward, late minus early, over problems.
        pass_at_k: change of pass@k.
        p_value: of the claim that reward went up and pass@k down: the larger of the two one-sided
            p-values (intersection-union test, Berger 1982).
        flagged: whether both changes have that sign and the p-value is below alpha.
        suspected: both changes have that sign, but the test does not bear it out.
    """

    run: str
    reward: Estimate
    pass_at_k: Estimate
    p_value: float
    flagged: bool
    suspected: bool


@dataclass(frozen=True)
class FlagResult:
    """Flags of runs and of problems.

    Attributes:
        runs: by run.
        problems: run, problem_id, reward_change, pass_change, distinct_change, n_early,
            correct_early, n_late, correct_late, p_value (Fisher's exact test of the share right),
            adjusted_p (false discovery over all problems), flag ("reward up, pass@k down",
            "reward up, fewer answers" or "").
        windows: the windows in words.
        k: samples of pass@k.
    """

    runs: tuple[RunFlag, ...]
    problems: pd.DataFrame
    windows: str
    k: int
    notes: Sequence[str] = field(default_factory=tuple)

    def table(self) -> pd.DataFrame:
        """The runs as rows."""
        rows = [
            {
                "run": each.run,
                "reward_change": each.reward.value,
                "reward_low": each.reward.low,
                "reward_high": each.reward.high,
                "pass_change": each.pass_at_k.value,
                "pass_low": each.pass_at_k.low,
                "pass_high": each.pass_at_k.high,
                "n_prompts": each.pass_at_k.n_prompts,
                "left_out": sum(each.pass_at_k.left_out.values()),
                "p_value": each.p_value,
                "flagged": each.flagged,
                "suspected": each.suspected,
            }
            for each in self.runs
        ]
        return pd.DataFrame(rows, columns=list(_RUN_COLUMNS))


BOTH = "reward up, pass@k down"
FEWER = "reward up, fewer answers"
_RUN_COLUMNS = (
    "run", "reward_change", "reward_low", "reward_high", "pass_change", "pass_low", "pass_high",
    "n_prompts", "left_out", "p_value", "flagged", "suspected",
)  # fmt: skip


def flags(counts: pd.DataFrame, options: FlagOptions | None = None) -> FlagResult:
    """Compares the early with the late window of each run.

    Rewards are the recorded ones; a problem without any finite reward is read by its share of right
    samples.

    Args:
        counts: `COUNT_COLUMNS` of one split, all steps.
        options: k, windows and level.
    """
    chosen = options or FlagOptions()
    rng = np.random.default_rng(chosen.seed)
    problems = _problem_changes(counts, chosen)
    found = [
        _run_flag(str(run), rows, chosen, rng) for run, rows in problems.groupby("run", sort=False)
    ]
    words = describe_windows(list(counts["step"].unique()), chosen.share) if len(counts) else ""
    return FlagResult(tuple(found), _flagged(problems), words, chosen.k)


def _problem_changes(counts: pd.DataFrame, options: FlagOptions) -> pd.DataFrame:
    placed = in_windows(counts, options.share)
    sides = {}
    for name in (EARLY, LATE):
        rows = placed.loc[placed["window"] == name]
        values = problem_values(rows, options.k).set_index(list(KEYS))
        groups = per_group(rows, KEYS).set_index(list(KEYS))
        reward = groups["reward"] / groups["n_rewarded"].where(groups["n_rewarded"] > 0)
        share = groups["n_correct"] / groups["n_judged"].where(groups["n_judged"] > 0)
        values["reward"] = reward.fillna(share)
        sides[name] = values
    both = sides[EARLY].merge(
        sides[LATE], left_index=True, right_index=True, suffixes=("_early", "_late")
    )
    both["reward_change"] = both["reward_late"] - both["reward_early"]
    both["pass_change"] = both["pass_at_k_late"] - both["pass_at_k_early"]
    both["distinct_change"] = both["distinct_at_k_late"] - both["distinct_at_k_early"]
    return both.reset_index()


def _run_flag(
    run: str, rows: pd.DataFrame, options: FlagOptions, rng: np.random.Generator
) -> RunFlag:
    # Both changes go over the same problems: those with k samples in both windows.
    usable = rows.loc[np.isfinite(rows["reward_change"]) & np.isfinite(rows["pass_change"])]
    missing = {f"fewer than {options.k} judged samples in a window": len(rows) - len(usable)}
    clusters = list(usable["problem_id"])
    reward, passed = (
        clustered_mean(
            usable[name],
            clusters,
            rng=rng,
            confidence=options.confidence,
            n_resamples=2_000,
            left_out=missing,
        )
        for name in ("reward_change", "pass_change")
    )
    p_up = _one_sided(usable["reward_change"], clusters, rng)
    p_down = _one_sided(-usable["pass_change"], clusters, rng)
    p_value = max(p_up, p_down) if np.isfinite([p_up, p_down]).all() else float("nan")
    signs = reward.value > 0 > passed.value
    flagged = bool(signs and p_value < options.alpha)
    return RunFlag(run, reward, passed, p_value, flagged, bool(signs and not flagged))


def _one_sided(
    values: "pd.Series[float]", clusters: list[object], rng: np.random.Generator
) -> float:
    """Is the mean above zero? Half of the two-sided sign flip where it is, else the rest."""
    test = sign_flip_test(values, clusters, rng=rng)
    if not np.isfinite(test.p_value):
        return float("nan")
    return test.p_value / 2 if test.statistic > 0 else 1 - test.p_value / 2


def _flagged(problems: pd.DataFrame) -> pd.DataFrame:
    tests = [
        _fisher(*(int(n) for n in row))
        for row in problems[
            ["n_correct_early", "n_judged_early", "n_correct_late", "n_judged_late"]
        ].itertuples(index=False, name=None)
    ]
    adjusted = false_discovery(np.array(tests, dtype=np.float64))
    up = problems["reward_change"] > 0
    down, fewer = problems["pass_change"] < 0, problems["distinct_change"] < 0
    words = np.select([up & down, up & fewer], [BOTH, FEWER], "")
    return pd.DataFrame(
        {
            "run": problems["run"],
            "problem_id": problems["problem_id"],
            "reward_change": problems["reward_change"],
            "pass_change": problems["pass_change"],
            "distinct_change": problems["distinct_change"],
            "n_early": problems["n_judged_early"],
            "correct_early": problems["n_correct_early"],
            "n_late": problems["n_judged_late"],
            "correct_late": problems["n_correct_late"],
            "p_value": tests,
            "adjusted_p": adjusted,
            "flag": [str(word) for word in words],
        }
    )


@lru_cache(maxsize=50_000)
def _fisher(right_early: int, n_early: int, right_late: int, n_late: int) -> float:
    if not n_early or not n_late:
        return float("nan")
    # With the margins fixed, what is no likelier than what was seen. SciPy's `fisher_exact` gives
    # the same number an order of magnitude slower, and there is one test a problem.
    n_right = right_early + right_late
    ways = np.arange(max(0, n_right - n_late), min(n_right, n_early) + 1)
    chance = scipy_stats.hypergeom.pmf(ways, n_early + n_late, n_right, n_early)
    seen = chance[ways == right_early]
    return float(min(1.0, chance[chance <= seen * (1 + 1e-7)].sum()))
