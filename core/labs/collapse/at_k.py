"""What k samples give: unbiased pass@k, rarefied distinct@k; how concentrated the answers are.

These describe the policy of a checkpoint or of a window of steps; `coverage` describes the whole
past of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.labs.collapse.counts import methods_of, per_group, pooled_answers
from core.labs.collapse.resampling import ESTIMATE_COLUMNS, mean_bands
from core.labs.groups import pass_at_k

KEYS = ("run", "problem_id")

Correction = Literal["plug-in", "miller-madow"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)

Measure = Literal["pass", "distinct"]


@dataclass(frozen=True)
class AtK:
    """Curves over k.

    Attributes:
        table: method, measure ("pass" or "distinct"), group ("all", "solved", "unsolved": whether
            any sample of the problem was right in these rows), k, value, low, high, n (run ×
            problem), n_prompts, method_of_interval.
        left_out: run × problem pairs without enough samples, by k and reason.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int]


def powers_of_two(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... up to `most`."""
    return tuple(2**i for i in range(max(0, int(most)).bit_length()))


def largest_k(counts: pd.DataFrame) -> int:
    """The most samples that every run × problem has: the largest k without leaving any out."""
    totals = counts.groupby(list(KEYS), observed=True)["n"].sum()
    return int(totals.min()) if len(totals) else 0


def problem_values(counts: pd.DataFrame, k: int) -> pd.DataFrame:
    """pass@k and distinct@k of each run and problem.

    Args:
        counts: `COUNT_COLUMNS`; steps are pooled.
        k: samples, at least 1.

    Returns:
        run, problem_id, n, n_judged, n_correct, n_answered, distinct, pass_at_k (NaN with fewer
        than k judged samples), distinct_at_k (NaN with fewer than k answers that count).
    """
    return _values(counts, [k]).drop(columns="k")


def _values(counts: pd.DataFrame, ks: Sequence[int]) -> pd.DataFrame:
    """`problem_values` for each k, one below the other, with k in a column."""
    problems = per_group(counts, KEYS)
    kept = ["n", "n_judged", "n_correct", "n_answered", "distinct"]
    index = pd.MultiIndex.from_frame(problems[list(KEYS)])
    given = pooled_answers(counts.loc[counts["answer"].notna()], KEYS)
    totals = given.groupby(list(KEYS), observed=True)["n"].transform("sum")
    found = []
    for k in ks:
        at = problems[[*KEYS, *kept]].assign(k=k)
        at["pass_at_k"] = pass_at_k(at["n_judged"], at["n_correct"], k)
        # An answer is among k draws with the chance that a right one would be, were it the right
        # one.
        given["chance"] = pass_at_k(totals, given["n"], k)
        sums = given.groupby(list(KEYS), observed=True)["chance"].sum(min_count=1)
        at["distinct_at_k"] = sums.reindex(index).to_numpy()
        found.append(at)
    return pd.concat(found, ignore_index=True)


def at_k(
    counts: pd.DataFrame,
    ks: Sequence[int] | None = None,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 1_000,
) -> AtK:
    """pass@k and distinct@k of each method over k, means over seeds, intervals over problems.

    Args:
        counts: of one split and the steps that matter; steps are pooled.
        ks: numbers of samples; by default 1, 2, 4, ... to the smallest number any problem has.
        rng: source of the resampling.
        confidence: of the intervals.
        n_resamples: bootstrap draws.
    """
    wanted = tuple(ks) if ks is not None else powers_of_two(largest_k(counts))
    columns = ["method", "measure", "group", "k", *ESTIMATE_COLUMNS]
    if not wanted or not len(counts):
        return AtK(pd.DataFrame(columns=columns), {})
    values = _values(counts, wanted)
    values["method"] = methods_of(values["run"])
    values["solved"] = values["n_correct"] > 0
    found = []
    for method, rows in values.groupby("method", sort=False):
        for measure, group, members in _parts(rows):
            bands = mean_bands(
                members,
                f"{measure}_at_k",
                "k",
                rng=rng,
                confidence=confidence,
                n_resamples=n_resamples,
            )
            found.append(bands.assign(method=method, measure=measure, group=group))
    return AtK(pd.concat(found, ignore_index=True)[columns], _too_few(values, wanted))


def concentration(
    counts: pd.DataFrame, by: Sequence[str] = KEYS, *, correction: Correction = "plug-in"
) -> pd.DataFrame:
    """How concentrated the answers of each problem are.

    Args:
        counts: `COUNT_COLUMNS`.
        by: what is pooled into one row.
        correction: "miller-madow" adds (answers - 1) / (2 n) nats to the plug-in entropy, which is
            too low for few samples (Miller 1955).

    Returns:
        `by`, n_answered, distinct, entropy (nats), majority, majority_share (of answers that
        count), majority_correct. NaN where no answer counts.
    """
    keys = list(by)
    groups = per_group(counts, keys)
    given = pooled_answers(counts.loc[counts["answer"].notna()], keys)
    totals = given.groupby(keys, observed=True)["n"].transform("sum")
    p = given["n"] / totals
    given["part"] = -p * np.log(p)
    parts = given.groupby(keys, observed=True)["part"].sum()
    index = pd.MultiIndex.from_frame(groups[keys]) if len(keys) > 1 else pd.Index(groups[keys[0]])
    groups["entropy"] = parts.reindex(index).to_numpy() + 0.0
    answered = groups["n_answered"].where(groups["n_answered"] > 0)
    if correction == "miller-madow":
        groups["entropy"] += (groups["distinct"] - 1) / (2 * answered)
    groups["majority_share"] = groups["n_majority"] / answered
    groups["majority_correct"] = groups["n_majority_correct"] * 2 > groups["n_majority"]
    kept = ["n_answered", "distinct", "entropy", "majority", "majority_share", "majority_correct"]
    return groups[[*keys, *kept]]


def concentration_over_steps(
    counts: pd.DataFrame,
    *,
    correction: Correction = "plug-in",
    rng: np.random.Generator,
    confidence: float = 0.95,
    n_resamples: int = 500,
) -> pd.DataFrame:
    """Mean answer entropy and majority share of each method at each step.

    Returns:
        method, measure ("entropy", "majority_share", "distinct"), step, value, low, high, n,
        n_prompts, method_of_interval.
    """
    groups = concentration(counts, ("run", "problem_id", "step"), correction=correction)
    groups["method"] = methods_of(groups["run"])
    found = []
    for method, rows in groups.groupby("method", sort=False):
        for measure in ("entropy", "majority_share", "distinct"):
            bands = mean_bands(
                rows, measure, "step", rng=rng, confidence=confidence, n_resamples=n_resamples
            )
            found.append(bands.assign(method=method, measure=measure))
    columns = ["method", "measure", "step", *ESTIMATE_COLUMNS]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _parts(rows: pd.DataFrame) -> list[tuple[Measure, str, pd.DataFrame]]:
    solved = rows["solved"]
    return [
        ("pass", "all", rows),
        ("distinct", "all", rows),
        ("distinct", "solved", rows.loc[solved]),
        ("distinct", "unsolved", rows.loc[~solved]),
    ]


def _too_few(values: pd.DataFrame, ks: Sequence[int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for k in ks:
        at = values.loc[values["k"] == k]
        found[f"fewer than {k} judged samples, for pass@{k}"] = int(at["pass_at_k"].isna().sum())
        found[f"fewer than {k} answers, for distinct@{k}"] = int(at["distinct_at_k"].isna().sum())
    return {reason: n for reason, n in found.items() if n}
