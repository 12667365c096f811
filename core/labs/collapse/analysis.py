"""All of the lab from one rollout table, or from counts that were made elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.collapse.at_k import (
    AtK,
    Correction,
    at_k,
    concentration_over_steps,
    largest_k,
    powers_of_two,
)
from core.labs.collapse.bonus import Unreadable
from core.labs.collapse.classes import ClassOptions, ClassResult, classify
from core.labs.collapse.counts import AnswerCounts, answer_counts, method_of
from core.labs.collapse.coverage import Curves, cumulative_curves, progress
from core.labs.collapse.flags import FlagOptions, FlagResult, flags
from core.labs.collapse.spread import (
    SCALES,
    Spread,
    SpreadOptions,
    spread,
    spread_to_held_out,
)
from core.labs.collapse.windows import LATE, in_windows
from core.stats import Estimate

TRAIN = "train"
HELD_OUT = "held_out"

UNSOLVED_PROBLEMS = "never solved in training"
HELD_OUT_PROBLEMS = "never trained on"


@dataclass(frozen=True)
class CollapseOptions:
    """What is looked at, and how.

    Attributes:
        unreadable: what answers that could not be read count as.
        share: of the steps in the early and in the late window.
        k: samples of pass@k in the flag.
        classes: where classes of problems begin.
        spread: how the spread is estimated; its windows are `share`'s.
        correction: of answer entropies.
        confidence: of all intervals.
        seed: of all resampling.
    """

    unreadable: Unreadable = "bucket"
    share: float = 0.25
    k: int = 8
    classes: ClassOptions = field(default_factory=ClassOptions)
    spread: SpreadOptions = field(default_factory=SpreadOptions)
    correction: Correction = "plug-in"
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class CollapseResult:
    """What was found.

    Attributes:
        counts: the counts that everything stands on.
        progress: each problem's way in each run (`coverage.progress`), training split.
        curves: historical coverage at equal budget.
        training: pass@k and distinct@k of the late window of training.
        splits: pass@k and distinct@k of each other split ("checkpoint", "held_out").
        over_steps: entropy, majority share and distinct answers along training.
        classes: of problems.
        flags: reward up while pass@k goes down.
        spreads: difference in differences, by scale.
        held_out: the same change on problems never trained on, by scale; empty without that split.
        base_runs: runs of the untrained policy.
        options: as given.
    """

    counts: AnswerCounts
    progress: pd.DataFrame
    curves: Curves
    training: AtK
    splits: Mapping[str, AtK]
    over_steps: pd.DataFrame
    classes: ClassResult
    flags: FlagResult
    spreads: Mapping[str, Spread]
    held_out: Mapping[str, Spread]
    base_runs: tuple[str, ...]
    options: CollapseOptions

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of the runs that are not the base, in order of the table."""
        runs = [run for run in self.progress["run"].unique() if run not in set(self.base_runs)]
        return tuple(dict.fromkeys(method_of(run) for run in runs))


def analyse(
    rollouts: pd.DataFrame,
    base_runs: Sequence[str] = (),
    options: CollapseOptions | None = None,
) -> CollapseResult:
    """Counts the rollouts and looks at them in every way of this lab.

    Args:
        rollouts: a rollout table; `run`, `step`, `problem_id` and `answer` are needed.
        base_runs: runs of the untrained policy, sampled with the same budget.
        options: what is looked at.

    Raises:
        TableError: when a column is missing, or nothing was drawn in training.
    """
    chosen = options or CollapseOptions()
    counts = answer_counts(rollouts, unreadable=chosen.unreadable)
    return analyse_counts(counts, base_runs, chosen)


def analyse_counts(
    counts: AnswerCounts, base_runs: Sequence[str] = (), options: CollapseOptions | None = None
) -> CollapseResult:
    """As `analyse`, from counts; see there."""
    chosen = options or CollapseOptions()
    train = counts.of(split=TRAIN)
    if train.empty:
        raise TableError(
            "No rollouts were drawn in training.",
            fix='Mark them "train" in the column split, or leave that column out.',
        )
    there = set(train["run"].unique())
    known = tuple(run for run in base_runs if run in there)
    rng = np.random.default_rng(chosen.seed)
    steps = progress(train)
    late = in_windows(train, chosen.share)
    last = late.loc[late["window"] == LATE] if len(late) else train
    others = [name for name in counts.splits() if name != TRAIN]
    return CollapseResult(
        counts=counts,
        progress=steps,
        curves=cumulative_curves(steps, base_runs=known, rng=rng, confidence=chosen.confidence),
        training=_at_k(last, rng, chosen),
        splits={name: _at_k(_last_step(counts.of(split=name)), rng, chosen) for name in others},
        over_steps=concentration_over_steps(
            train, correction=chosen.correction, rng=rng, confidence=chosen.confidence
        ),
        classes=classify(train, chosen.classes),
        flags=flags(train, _flag_options(chosen)),
        spreads={scale: spread(train, known, _spread_options(chosen, scale)) for scale in SCALES},
        held_out=_held_out(counts, base_runs, chosen),
        base_runs=known,
        options=chosen,
    )


def coverage_and_checkpoint(result: CollapseResult) -> pd.DataFrame:
    """Two different things side by side: ever solved in training, and a policy's pass@k.

    Returns:
        method, what ("ever solved in training", "pass@k, <split>"), k (samples of a problem),
        value, low, high, n, n_prompts.
    """
    curve = result.curves.table
    ever = curve.loc[
        (curve["measure"] == "solved")
        & (curve["cohort"] == "all")
        & (curve["compared"] == "itself")
        & (curve["budget"] == result.curves.budget)
    ]
    columns = ["method", "what", "k", "value", "low", "high", "n", "n_prompts"]
    frames = [ever.rename(columns={"budget": "k"}).assign(what="ever solved in training")]
    looked = {"late in training": result.training, **result.splits}
    for name, found in looked.items():
        rows = found.table
        rows = rows.loc[(rows["measure"] == "pass") & (rows["group"] == "all")]
        frames.append(rows.assign(what=f"pass@k, {name.replace('_', ' ')}"))
    return pd.concat([frame[columns] for frame in frames if len(frame)], ignore_index=True)


def to_tables(result: CollapseResult) -> dict[str, pd.DataFrame]:
    """The result as tables by name, from which its report is drawn again."""
    splits = {f"training, {LATE} window": result.training, **result.splits}
    found = {
        "spread": pd.concat(
            [
                _spread_rows(each, scale).assign(problems=problems)
                for problems, spreads in (
                    (UNSOLVED_PROBLEMS, result.spreads),
                    (HELD_OUT_PROBLEMS, result.held_out),
                )
                for scale, each in spreads.items()
            ]
        ),
        "curves": result.curves.table,
        "coverage_and_checkpoint": coverage_and_checkpoint(result),
        "at_k": pd.concat([each.table.assign(split=name) for name, each in splits.items()]),
        "over_steps": result.over_steps,
        "run_flags": result.flags.table(),
        "problem_flags": result.flags.problems,
        "classes": result.classes.table,
        "class_shares": result.classes.shares(),
        "spread_problems": result.spreads[SCALES[0]].problems,
        "left_out": left_out(result),
    }
    return {name: frame.reset_index(drop=True) for name, frame in found.items()}


def left_out(result: CollapseResult) -> pd.DataFrame:
    """What was left out, by part and reason: part, reason, n."""
    parts: dict[str, Mapping[str, int]] = {"rollouts": result.counts.left_out}
    if result.counts.n_unreadable:
        words = "one answer" if result.options.unreadable == "bucket" else "no answer"
        reason = f"answer could not be read (counts as {words})"
        parts["answers"] = {reason: result.counts.n_unreadable}
    parts["late in training, at k"] = result.training.left_out
    parts |= {f"{name}, at k": each.left_out for name, each in result.splits.items()}
    parts["spread"] = result.spreads[SCALES[0]].left_out
    rows = [(part, reason, n) for part, reasons in parts.items() for reason, n in reasons.items()]
    return pd.DataFrame(rows, columns=["part", "reason", "n"])


def options_as_json(options: CollapseOptions) -> dict[str, object]:
    """The options as JSON-like values, for a saved run."""
    found: dict[str, object] = json.loads(json.dumps(asdict(options)))
    return found


def _last_step(counts: pd.DataFrame) -> pd.DataFrame:
    """Each run's rows at its last step: a checkpoint is one policy, not several."""
    if counts.empty:
        return counts
    return counts.loc[counts["step"] == counts.groupby("run")["step"].transform("max")]


def _at_k(counts: pd.DataFrame, rng: np.random.Generator, options: CollapseOptions) -> AtK:
    # The median problem decides how far k goes; problems with fewer samples are counted out.
    totals = counts.groupby(["run", "problem_id"], observed=True)["n"].sum()
    most = largest_k(counts) or 1
    if len(totals) and most < 4:
        most = max(most, int(totals.median()))
    return at_k(counts, powers_of_two(most), rng=rng, confidence=options.confidence)


def _held_out(
    counts: AnswerCounts, base_runs: Sequence[str], options: CollapseOptions
) -> dict[str, Spread]:
    rows = counts.of(split=HELD_OUT)
    if rows.empty or rows.groupby("run")["step"].nunique().max() < 2:
        return {}
    return {
        scale: spread_to_held_out(rows, base_runs, _spread_options(options, scale))
        for scale in SCALES
    }


def _flag_options(options: CollapseOptions) -> FlagOptions:
    return FlagOptions(options.k, options.share, confidence=options.confidence, seed=options.seed)


def _spread_options(options: CollapseOptions, scale: str) -> SpreadOptions:
    given = asdict(options.spread) | {
        "scale": scale,
        "share": options.share,
        "confidence": options.confidence,
        "seed": options.seed,
    }
    return SpreadOptions(**given)


def _spread_rows(found: Spread, scale: str) -> pd.DataFrame:
    parts: dict[str, Mapping[str, Estimate]] = {
        "effect": found.effects,
        "own change": found.own,
        "base change": found.base,
    }
    rows = [
        {"method": method, "scale": scale, "quantity": what}
        | {_COLUMN.get(name, name): getattr(each, name) for name in _ESTIMATE}
        | {"left_out": sum(each.left_out.values()), "windows": found.windows}
        for what, estimates in parts.items()
        for method, each in estimates.items()
    ]
    columns = [
        "method",
        "scale",
        "quantity",
        *(_COLUMN.get(name, name) for name in _ESTIMATE),
        "left_out",
        "windows",
    ]
    return pd.DataFrame(rows, columns=columns)


_ESTIMATE = ("value", "low", "high", "confidence", "n", "n_prompts", "method")
_COLUMN = {"method": "method_of_interval"}
