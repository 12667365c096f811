"""How self-rewarding training turns scored samples into preference pairs, problem by problem.

The classic rule takes the best and the worst sample of the current model. Temporal
self-rewarding pulls them apart in time: the rejected from the first model (anchored), the chosen
from a model one step ahead (future). Both read the scores of one judge, the current model.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from core.errors import TableError

FIRST, CURRENT, FUTURE = "M0", "Mi", "Mf"
SOURCES = (FIRST, CURRENT, FUTURE)
"""Who drew a sample: the first model, the model of this iteration, the provisional next one."""

GENERATION_COLUMNS = ("problem_id", "source", "sample", "judge_score")
"""Columns the rule needs; a column `response` is used where it is there."""

PAIR_COLUMNS = (
    "problem_id",
    "chosen_sample",
    "chosen_source",
    "rejected_sample",
    "rejected_source",
    "judge_chosen",
    "judge_rejected",
    "gap",
)
"""Columns of the pairs built; `gap` is judge_chosen - judge_rejected, always above 0."""

Ties = Literal["drop", "first", "random"]
"""What to do where several samples of a source share the best or the worst score: leave the
problem out, take the one drawn first, or one of them at random."""

NO_CURRENT = "no scored sample of the current model"
NO_GAP = "best and worst sample have the same score"
TIED = "several samples share the best or the worst score"


@dataclass(frozen=True)
class BuiltPairs:
    """The pairs of one iteration and what became of the other problems."""

    pairs: pd.DataFrame
    """One row a problem that gave a pair, in order of appearance; columns `PAIR_COLUMNS`."""

    n_problems: int
    """Problems in the generations."""

    left_out: dict[str, int]
    """Problems that gave no pair, by reason; reasons that left out none are absent."""

    unscored: int
    """Samples without a finite score: not looked at."""

    duplicated: int
    """Rows that repeat a sample's problem, source and number: the first of them counts."""

    without_first: int
    """Problems without a scored sample of the first model, where the rule is anchored: their
    rejected comes from the current model."""

    without_future: int
    """Problems without a scored sample of the future model, where the rule looks ahead: their
    chosen comes from the current model."""

    @property
    def kept(self) -> float:
        """Share of problems that gave a pair, in [0, 1]; NaN without problems."""
        return len(self.pairs) / self.n_problems if self.n_problems else float("nan")


def build_pairs(
    generations: pd.DataFrame,
    *,
    anchored: bool,
    future: bool,
    rng: np.random.Generator | int | None = None,
    ties: Ties = "drop",
) -> BuiltPairs:
    """One preference pair for each problem, from the scored samples of one iteration.

    Chosen is the best sample of the current model. Rejected is its worst; if `anchored`, the worst
    sample of the first model where that scores strictly lower. A pair is kept if chosen scores
    strictly higher than rejected. Then, if `future`, the best sample of the future model replaces
    the chosen of a kept pair where it scores strictly higher. Neither is Yuan et al. 2024's
    self-rewarding; both is Wang et al. 2025 (arXiv 2508.06026), phases 1 and 2.

    Samples of one source that tie with the same text are not a tie: any of them is the same pair.

    Args:
        generations: one row a sample; columns `GENERATION_COLUMNS`, `source` one of `SOURCES`,
            `judge_score` higher is better; `response` optional.
        anchored: take the rejected from the first model where that is worse.
        future: take the chosen from the future model where that is better.
        rng: draws among ties; needed for `ties="random"` only.
        ties: what to do where the best or worst sample of a source is not one.

    Raises:
        TableError: when a column is missing, or a source is none of `SOURCES`.
        ValueError: for an unknown tie rule, or a random one without `rng`.
    """
    draw = _generator(rng, ties)
    _check(generations)
    keys = ["problem_id", "source", "sample"]
    repeated = generations.duplicated(keys)
    distinct = generations.loc[~repeated]
    scores = pd.to_numeric(distinct["judge_score"], errors="coerce").to_numpy(np.float64)
    finite = np.isfinite(scores)
    scored = distinct.assign(judge_score=scores).loc[finite]
    problems = distinct["problem_id"].drop_duplicates()
    pools = _pools(scored)
    rows: list[dict[str, object]] = []
    left_out: dict[str, int] = {}
    for problem in problems:
        pair = _pair(pools.get(problem, {}), anchored, future, ties, draw)
        if isinstance(pair, str):
            left_out[pair] = left_out.get(pair, 0) + 1
        else:
            rows.append({"problem_id": problem, **pair})
    return BuiltPairs(
        pairs=_table(rows),
        n_problems=len(problems),
        left_out=left_out,
        unscored=int((~finite).sum()),
        duplicated=int(repeated.sum()),
        without_first=_without(pools, problems, FIRST) if anchored else 0,
        without_future=_without(pools, problems, FUTURE) if future else 0,
    )


@dataclass(frozen=True)
class _Pool:
    """The scored samples of one source on one problem, in the order of their numbers."""

    source: str
    samples: np.ndarray
    scores: np.ndarray
    texts: np.ndarray | None
    """A number for each distinct text."""

    def extreme(self, best: bool, ties: Ties, draw: np.random.Generator | None) -> int | None:
        """Position of the best or the worst sample; None where a tie drops the problem."""
        value = self.scores.max() if best else self.scores.min()
        at = np.flatnonzero(self.scores == value)
        if self.texts is not None:
            _, first = np.unique(self.texts[at], return_index=True)
            at = at[np.sort(first)]
        if len(at) == 1 or ties == "first":
            return int(at[0])
        return None if draw is None or ties == "drop" else int(draw.choice(at))


def _pools(scored: pd.DataFrame) -> dict[object, dict[str, _Pool]]:
    """Problem -> source -> its samples."""
    ordered = scored.sort_values("sample", kind="stable").reset_index(drop=True)
    samples, values = ordered["sample"].to_numpy(), ordered["judge_score"].to_numpy()
    texts = _text_codes(ordered["response"]) if "response" in ordered else None
    pools: dict[object, dict[str, _Pool]] = {}
    for key, at in ordered.groupby(["problem_id", "source"]).indices.items():
        problem, source = cast(tuple[object, object], key)
        pools.setdefault(problem, {})[str(source)] = _Pool(
            str(source), samples[at], values[at], None if texts is None else texts[at]
        )
    return pools


def _text_codes(responses: "pd.Series[Any]") -> np.ndarray:
    """A number for each distinct text; a missing text is like no other."""
    codes, _ = pd.factorize(responses)
    return np.where(codes < 0, -1 - np.arange(len(codes)), codes)


def _pair(
    pools: dict[str, _Pool],
    anchored: bool,
    future: bool,
    ties: Ties,
    draw: np.random.Generator | None,
) -> dict[str, object] | str:
    """The pair of one problem, or the reason why it gives none."""
    current, first, ahead = pools.get(CURRENT), pools.get(FIRST), pools.get(FUTURE)
    if current is None:
        return NO_CURRENT
    lower = current
    if anchored and first is not None and first.scores.min() < current.scores.min():
        lower = first
    if not current.scores.max() > lower.scores.min():
        return NO_GAP
    upper = current
    if future and ahead is not None and ahead.scores.max() > current.scores.max():
        upper = ahead
    chosen = upper.extreme(True, ties, draw)
    rejected = lower.extreme(False, ties, draw)
    if chosen is None or rejected is None:
        return TIED
    high, low = float(upper.scores[chosen]), float(lower.scores[rejected])
    return {
        "chosen_sample": int(upper.samples[chosen]),
        "chosen_source": upper.source,
        "rejected_sample": int(lower.samples[rejected]),
        "rejected_source": lower.source,
        "judge_chosen": high,
        "judge_rejected": low,
        "gap": high - low,
    }


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    types = {"chosen_sample": "int64", "rejected_sample": "int64"}
    types |= dict.fromkeys(("judge_chosen", "judge_rejected", "gap"), "float64")
    types |= dict.fromkeys(("chosen_source", "rejected_source"), "str")
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS)).astype(types)


def _without(pools: dict[object, dict[str, _Pool]], problems: "pd.Series[Any]", source: str) -> int:
    return sum(source not in pools.get(problem, {}) for problem in problems)


def _generator(rng: np.random.Generator | int | None, ties: Ties) -> np.random.Generator | None:
    if ties not in get_args(Ties):
        raise ValueError(f"Ties are handled by {', '.join(get_args(Ties))}, not by {ties!r}.")
    if ties == "random" and rng is None:
        raise ValueError('ties="random" needs `rng`: a numpy Generator or a seed.')
    return None if rng is None else np.random.default_rng(rng)


def _check(generations: pd.DataFrame) -> None:
    missing = [column for column in GENERATION_COLUMNS if column not in generations.columns]
    if missing:
        raise TableError(
            f"The generations have no column {', '.join(map(repr, missing))}.",
            fix=f"Pairs are built from the columns {', '.join(GENERATION_COLUMNS)}.",
        )
    unknown = sorted(set(generations["source"].astype(str)) - set(SOURCES))
    if unknown:
        raise TableError(
            f"The column 'source' has {unknown[0]!r}, which is no source of samples.",
            fix="Use M0 for the first model, Mi for the current one, Mf for the future one.",
        )
