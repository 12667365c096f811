"""Preference pairs of self-rewarding training, iteration by iteration.

For each method (its seeds pooled) and each run: the gap, the scores of both sides, how alike they
are, what DPO makes of them, how many problems gave a pair, and who won the two slots.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.self_rewarding.dpo import (
    BETA,
    cosines,
    dpo_loss,
    dpo_margin,
    dpo_weight,
    unit_distance,
)
from core.labs.self_rewarding.estimates import (
    change_row,
    estimate_row,
    estimates_frame,
    method_of,
    pooled_and_single,
)
from core.labs.self_rewarding.generations import Alteration, Generations, altered
from core.labs.self_rewarding.pairs import SOURCES, Ties, build_pairs
from core.stats import (
    FloatArray,
    clustered_mean,
    clustered_share,
)

KEPT = "kept"
"""The measure that is about problems, not pairs: the share of them that gave a pair."""

GAP_RATIO = "gap_ratio"
"""The change that is told as a ratio: mean gap of the last iteration over that of the first."""

N_DRAWS = 2_000

MEASURES: dict[str, tuple[str, str]] = {
    "gap": ("Gap", "Judge's score of the chosen minus that of the rejected."),
    "judge_chosen": ("Chosen", "Judge's score of the chosen response."),
    "judge_rejected": ("Rejected", "Judge's score of the rejected response."),
    "recorded_gap": ("Recorded gap", "Gap by the scores as recorded, before they were changed."),
    "cosine": ("Cosine", "Of the two responses' states (or embeddings); 1 for parallel ones."),
    "margin_before": ("Margin before", "DPO's margin before the iteration's updates."),
    "loss_before": ("Loss before", "DPO's loss before the iteration's updates, in nats."),
    "weight_before": ("Weight before", "beta (1 - sigmoid(margin)) before the updates."),
    "gradient_before": (
        "Gradient scale before",
        "Weight times the distance of the two responses' states: what bounds the gradient, up to "
        "a constant.",
    ),
    "gradient_norm": (
        "Gradient norm, measured",
        "Length of the gradient of the pair's loss over all trained weights, before the updates, "
        "where every weight is beta / 2.",
    ),
    "loss": ("Loss during", "DPO's loss, mean over the times that the updates read the pair."),
    "weight": ("Weight during", "beta (1 - sigmoid(margin)), mean over the same times."),
    "margin_after": ("Margin after", "DPO's margin after the iteration's updates."),
    "loss_after": ("Loss after", "DPO's loss after the iteration's updates, in nats."),
    "weight_after": ("Weight after", "beta (1 - sigmoid(margin)) after the updates."),
    "gradient_after": (
        "Gradient scale after",
        "Weight after the updates times the distance of the two responses' states.",
    ),
    "outside_gap": (
        "Gap, outside",
        "Reward of the chosen minus that of the rejected, by a model that took no part.",
    ),
    "outside_agrees": (
        "Outside agrees",
        "Share of pairs whose chosen the outside model prefers too, ties half.",
    ),
    KEPT: ("Pairs kept", "Share of problems that gave a pair."),
}
"""Label and meaning of each measure."""


@dataclass(frozen=True)
class IterationResult:
    """Pairs over iterations.

    Attributes:
        pairs: the pairs with what follows from them: `method`, and those of `MEASURES` that their
            columns give.
        estimates: `core.labs.self_rewarding.estimates.ESTIMATE_COLUMNS`, one row a method, run
            (or all seeds), iteration and measure.
        changes: last minus first iteration of each method and measure; columns as `estimates`,
            where `iteration` is the last one. `GAP_RATIO` is the mean gap of the last iteration
            over that of the first.
        slots: who won the slots: columns method, run, iteration, slot ("chosen" or "rejected"),
            source, n, share.
        left_out: problems that gave no pair, where they were counted: columns run, iteration,
            reason, n.
    """

    pairs: pd.DataFrame
    estimates: pd.DataFrame
    changes: pd.DataFrame
    slots: pd.DataFrame
    left_out: pd.DataFrame

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that were there to estimate."""
        there = set(self.estimates["measure"])
        return tuple(name for name in MEASURES if name in there)


@dataclass(frozen=True)
class PairRule:
    """How pairs are built from generations (`build_pairs`).

    Attributes:
        anchored: the rejected may come from the first model.
        future: the chosen may come from the future model.
        ties: what to do with them.
    """

    anchored: bool = False
    future: bool = False
    ties: Ties = "drop"


def measured(pairs: pd.DataFrame, *, beta: float = BETA) -> pd.DataFrame:
    """The pairs with the measures that follow from their columns.

    DPO's margin needs `policy_chosen_before` and so on (`_after`) with `reference_chosen` and
    `reference_rejected`, in nats. Where there is a column `beta` it counts, else the argument. The
    gradient scale takes the column `distance` of the two states where there is one, and else the
    distance of states of length 1 with the pair's cosine: our reading of the bound.

    Args:
        pairs: columns run, iteration, problem_id, judge_chosen, judge_rejected, and any others.
        beta: of DPO.

    Raises:
        TableError: when one of these columns is missing.
    """
    needed = ["run", "iteration", "problem_id", "judge_chosen", "judge_rejected"]
    missing = [name for name in needed if name not in pairs.columns]
    if missing:
        raise TableError(
            f"The pairs have no column {', '.join(map(repr, missing))}.",
            fix=f"Pairs over iterations need {', '.join(needed)}.",
        )
    table = pairs.assign(
        method=[method_of(str(run)) for run in pairs["run"]],
        gap=pairs["judge_chosen"] - pairs["judge_rejected"],
    ).reset_index(drop=True)
    if {"outside_chosen", "outside_rejected"} <= set(table.columns):
        gap = (table["outside_chosen"] - table["outside_rejected"]).to_numpy(np.float64)
        table["outside_gap"] = gap
        table["outside_agrees"] = (np.sign(gap) + 1) / 2
    scale = table["beta"].to_numpy(np.float64) if "beta" in table.columns else beta
    distance = _distance(table)
    for moment in ("before", "after"):
        margin = _margin(table, moment, scale)
        if margin is None:
            continue
        weight = dpo_weight(margin, beta=scale)
        table[f"margin_{moment}"] = margin
        table[f"loss_{moment}"] = dpo_loss(margin)
        table[f"weight_{moment}"] = weight
        if distance is not None:
            table[f"gradient_{moment}"] = weight * distance
    return table


def _distance(table: pd.DataFrame) -> FloatArray | None:
    if "distance" in table.columns:
        return table["distance"].to_numpy(np.float64)
    return unit_distance(table["cosine"]) if "cosine" in table.columns else None


def _margin(table: pd.DataFrame, moment: str, beta: FloatArray | float) -> FloatArray | None:
    """DPO's margin at a moment; None where a column is missing."""
    columns = []
    for name in ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected"):
        at = f"{name}_{moment}"
        if at not in table.columns:
            # The reference does not move: one column of it is enough.
            at = name if name.startswith("reference") else at
        if at not in table.columns:
            return None
        columns.append(table[at].to_numpy(np.float64))
    return dpo_margin(*columns, beta=beta)


def run(
    pairs: pd.DataFrame,
    *,
    problems: pd.DataFrame | None = None,
    left_out: pd.DataFrame | None = None,
    beta: float = BETA,
    seed: int = 0,
    confidence: float = 0.95,
    n_draws: int = N_DRAWS,
) -> IterationResult:
    """Measures pairs over iterations.

    Intervals resample problems; a problem brings its pairs of all seeds along.

    Args:
        pairs: as `measured` takes them, with chosen_source and rejected_source where known.
        problems: columns run, iteration, problem_id: all problems that had samples, so that the
            share of them that gave a pair can be told.
        left_out: columns run, iteration, reason, n: passed on.
        beta: of DPO.
        seed: of the resampling.
        confidence: of the intervals.
        n_draws: of the resampling.

    Raises:
        TableError: when a column is missing.
    """
    table = measured(pairs, beta=beta)
    rng = np.random.default_rng(seed)
    names = [name for name in MEASURES if name in table.columns and name != KEPT]
    rows = [
        estimate_row(
            clustered_mean(
                group[name].to_numpy(np.float64), list(group["problem_id"]),
                rng=rng, confidence=confidence, n_resamples=n_draws,
            ),
            method=method, run=run_name, iteration=iteration, measure=name,
        )
        for method, run_name, iteration, group in pooled_and_single(table)
        for name in names
    ]  # fmt: skip
    if problems is not None:
        rows += _kept(table, problems, rng, confidence, n_draws)
    nothing = pd.DataFrame(columns=["run", "iteration", "reason", "n"])
    return IterationResult(
        pairs=table,
        estimates=estimates_frame(rows),
        changes=_changes(table, names, rng, confidence, n_draws),
        slots=_slots(table),
        left_out=nothing if left_out is None else left_out,
    )


def rebuild(
    generations: Generations,
    rule: PairRule,
    change: Alteration | None = None,
    *,
    embeddings: npt.ArrayLike | None = None,
    beta: float = BETA,
    confidence: float = 0.95,
    n_draws: int = N_DRAWS,
) -> IterationResult:
    """What pairs the rule makes of recorded samples, changed or not, measured as recorded ones are.

    What training on them would have led to is not told: later samples stay those of the run as it
    was.

    Args:
        generations: recorded samples.
        rule: how pairs are built.
        change: what is changed about the samples first; its seed also draws among ties.
        embeddings: (n, d) of the responses, one a row of `generations.table`, for the cosine of
            each pair; without them there is none.
        beta: of DPO.
        confidence: of the intervals.
        n_draws: of the resampling.

    Raises:
        TableError: when there are not as many embeddings as samples.
    """
    change = change or Alteration()
    table = altered(_numbered(generations.table, embeddings), change)
    rng = np.random.default_rng([change.seed, 1])
    built, left_out = [], []
    for (run_name, iteration), group in table.groupby(["run", "iteration"], sort=False):
        found = build_pairs(
            group, anchored=rule.anchored, future=rule.future, rng=rng, ties=rule.ties
        )
        place = (str(run_name), int(str(iteration)))
        built.append(found.pairs.assign(run=place[0], iteration=place[1]))
        left_out += [(*place, why, n) for why, n in found.left_out.items()]
    pairs = pd.concat(built, ignore_index=True) if built else _no_pairs()
    pairs = _with_samples(pairs, table)
    if embeddings is not None and len(pairs):
        vectors = np.asarray(embeddings)
        rows = (pairs[f"{side}_row"].to_numpy(np.int64) for side in ("chosen", "rejected"))
        pairs["cosine"] = cosines(*(vectors[row] for row in rows))
    return run(
        pairs,
        problems=table[["run", "iteration", "problem_id"]].drop_duplicates(),
        left_out=pd.DataFrame(left_out, columns=["run", "iteration", "reason", "n"]),
        beta=beta,
        seed=change.seed,
        confidence=confidence,
        n_draws=n_draws,
    )


def _numbered(table: pd.DataFrame, embeddings: npt.ArrayLike | None) -> pd.DataFrame:
    """The samples with their row's number, where it will be asked for."""
    if embeddings is None:
        return table
    if len(np.asarray(embeddings)) != len(table):
        raise TableError(f"There are not as many embeddings as samples ({len(table):,}).")
    return table.assign(row=np.arange(len(table)))


def _no_pairs() -> pd.DataFrame:
    columns = [f"judge_{side}" for side in ("chosen", "rejected")]
    return pd.DataFrame(columns=["run", "iteration", "problem_id", *columns])


def _with_samples(pairs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The pairs with both sides' text, recorded score and outside reward."""
    if pairs.empty:
        return pairs
    keys = ["run", "iteration", "problem_id", "source", "sample"]
    named = {"response": "{}", "recorded_score": "recorded_{}", "outside": "outside_{}"}
    named |= {"row": "{}_row"}
    there = [name for name in named if name in table.columns]
    samples = table.drop_duplicates(keys)[[*keys, *there]]
    for side in ("chosen", "rejected"):
        renamed = {name: named[name].format(side) for name in there}
        renamed |= {"source": f"{side}_source", "sample": f"{side}_sample"}
        of_side = samples.rename(columns=renamed)
        on = ["run", "iteration", "problem_id", f"{side}_source", f"{side}_sample"]
        pairs = pairs.merge(of_side, how="left", on=on)
    return pairs.assign(recorded_gap=pairs["recorded_chosen"] - pairs["recorded_rejected"])


def _kept(
    table: pd.DataFrame,
    problems: pd.DataFrame,
    rng: np.random.Generator,
    confidence: float,
    n_draws: int,
) -> list[dict[str, object]]:
    """Share of problems that gave a pair, of each method, run and iteration."""
    keys = ["run", "iteration", "problem_id"]
    distinct = problems[keys].drop_duplicates()
    marked = distinct.merge(table[keys].drop_duplicates(), how="left", on=keys, indicator="in")
    marked = marked.assign(
        method=[method_of(str(run)) for run in marked["run"]],
        kept=(marked["in"] == "both").astype("float64"),
    )
    return [
        estimate_row(
            clustered_share(
                group["kept"].to_numpy(), list(group["problem_id"]),
                rng=rng, confidence=confidence, n_resamples=n_draws,
            ),
            method=method, run=run_name, iteration=iteration, measure=KEPT,
        )
        for method, run_name, iteration, group in pooled_and_single(marked)
    ]  # fmt: skip


def _changes(
    table: pd.DataFrame, names: list[str], rng: np.random.Generator, confidence: float, n: int
) -> pd.DataFrame:
    """Last against first iteration, of each method and measure."""
    rows = []
    for _, group in table.groupby("method", sort=False):
        for name in names:
            rows.append(
                change_row(group, name, measure=name, rng=rng, confidence=confidence, n_draws=n)
            )
        rows.append(
            change_row(
                group, "gap", measure=GAP_RATIO, rng=rng, confidence=confidence, n_draws=n,
                ratio=True,
            )
        )  # fmt: skip
    return estimates_frame(row for row in rows if row is not None)


def _slots(table: pd.DataFrame) -> pd.DataFrame:
    """Which source won each slot, of the pooled seeds and of each run."""
    rows = []
    for slot in ("chosen", "rejected"):
        column = f"{slot}_source"
        if column not in table.columns:
            continue
        for method, run_name, iteration, group in pooled_and_single(table):
            counts = group[column].value_counts()
            keys = {"method": method, "run": run_name, "iteration": iteration, "slot": slot}
            rows += [
                keys | {"source": source, "n": int(counts[source]), "share": counts[source] / n}
                for source in SOURCES
                if source in counts and (n := int(counts.sum()))
            ]
    columns = ["method", "run", "iteration", "slot", "source", "n", "share"]
    return pd.DataFrame(rows, columns=columns)
