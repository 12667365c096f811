"""The long table of pair scores, read once: a row a pair, a column a model, one ruler a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.compare.options import CompareError

MODEL = "model"
NEEDED_COLUMNS = (MODEL, "pair_id", "prompt_id", "reward_chosen", "reward_rejected")
OWN_COLUMNS = (*NEEDED_COLUMNS, "margin", "error")
MIN_MODELS, MAX_MODELS = 2, 8

NOT_SCORED = "not scored"
NO_MARGIN = "no margin"

_REPEAT = "_repeat"
_SAME_MARGIN = 1e-3

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairScores:
    """Rewards of the same pairs under several models. All tables share the rows of `pairs`.

    Attributes:
        models: names, in the order of the table.
        pairs: one row a pair: `pair_id`, `prompt_id` and the input's own columns.
        chosen: (n_pairs, n_models) rewards of the chosen responses, each column in its own unit.
        rejected: the same of the rejected responses.
        reasons: why a pair has no margin under a model, "" where it has one.
        varying: own columns that differ between the models and so belong to no pair.
        notes: what a reader of the results should know of the table.
    """

    models: tuple[str, ...]
    pairs: pd.DataFrame
    chosen: pd.DataFrame
    rejected: pd.DataFrame
    reasons: pd.DataFrame
    varying: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    @cached_property
    def margins(self) -> pd.DataFrame:
        """(n_pairs, n_models) reward(chosen) - reward(rejected), NaN where `reasons` says why."""
        with np.errstate(invalid="ignore"):
            return self.chosen - self.rejected

    @cached_property
    def margin_scales(self) -> "pd.Series[float]":
        """The root mean square of each model's finite margins: the ruler of its margins.

        Dividing by it keeps the sign of a margin and removes the model's unit. Unlike the spread of
        the rewards it does not depend on a constant added to all rewards of one prompt, which
        preferences cannot see. NaN where no margin differs from zero. Our reading.
        """
        finite = self.margins.where(np.isfinite(self.margins))
        scales: pd.Series[float] = (finite**2).mean() ** 0.5
        return scales.where(scales > 0)

    @cached_property
    def standard_margins(self) -> pd.DataFrame:
        """Margins in units of their model's `margin_scales`."""
        return self.margins / self.margin_scales

    @property
    def prompt_ids(self) -> list[str]:
        """The prompt of each pair."""
        return list(self.pairs["prompt_id"])

    def check_models(self, names: Sequence[str]) -> None:
        """Raises `CompareError` for a name that is not among the models."""
        for name in names:
            if name not in self.models:
                raise CompareError(
                    f"There is no model {name!r} in the table.",
                    fix=f"Choose among {', '.join(self.models)}.",
                )

    def usable(self, models: Sequence[str]) -> BoolArray:
        """(n_pairs,) whether a pair has a margin under each of the models."""
        self.check_models(models)
        return np.asarray(self.margins[list(models)].notna().all(axis=1), dtype=bool)

    def left_out(self, models: Sequence[str]) -> dict[str, int]:
        """Pairs without a margin under one of the models, by the first such model's reason."""
        self.check_models(models)
        counts: Counter[str] = Counter()
        seen = np.zeros(len(self), dtype=bool)
        for model in models:
            missing = np.asarray(self.margins[model].isna(), dtype=bool) & ~seen
            counts.update(self.reasons.loc[missing, model])
            seen |= missing
        return dict(counts)

    def credits(self, model: str) -> FloatArray:
        """(n_pairs,) 1 where the chosen response has more reward, 0 where less, 0.5 for a tie."""
        self.check_models([model])
        return np.asarray((np.sign(self.margins[model].to_numpy(dtype=np.float64)) + 1) / 2)

    def values(self, table: pd.DataFrame, model: str, rows: BoolArray) -> FloatArray:
        """A model's column of one of the tables, on some rows."""
        return table[model].to_numpy(dtype=np.float64)[rows]

    def prompts(self, rows: BoolArray) -> list[str]:
        """The prompts of some rows."""
        return list(self.pairs.loc[rows, "prompt_id"])

    def subset(self, rows: BoolArray) -> "PairScores":
        """The same models on some of the pairs."""
        tables = ("pairs", "chosen", "rejected", "reasons")
        return replace(self, **{name: getattr(self, name)[rows] for name in tables})

    def baseline(self, name: str | None) -> str:
        """The model to hold the others against: `name`, or the first."""
        chosen = self.models[0] if name is None else name
        self.check_models([chosen])
        return chosen


def stack_models(by_model: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The long table from one table of pair rewards for each model.

    Args:
        by_model: for each model what `core.labs.pairs.pair_rewards` returns.
    """
    return pd.concat(
        [table.assign(**{MODEL: model}) for model, table in by_model.items()], ignore_index=True
    )


def read_scores(table: pd.DataFrame, models: Sequence[str] | None = None) -> PairScores:
    """Reads and checks the long table.

    The margin is always reward_chosen - reward_rejected. A row whose `error` is not empty has no
    margin. A pair listed several times under a model is kept as often; a pair that a model lacks
    has no margin under it.

    Args:
        table: one row a model and pair, with `NEEDED_COLUMNS`, and maybe `error` and own columns.
        models: which to compare, in this order; by default all, as they first appear.

    Raises:
        TableError: a needed column is missing, rewards are no numbers, or a pair has two prompts.
        CompareError: fewer than 2 or more than 8 models, or a name that is not in the table.
    """
    names = _check_columns(table, models)
    kept = table[table[MODEL].astype(str).isin(names)].reset_index(drop=True)
    ids = {name: kept[name].astype(str) for name in (MODEL, "pair_id", "prompt_id")}
    kept = kept.assign(**ids)
    kept[_REPEAT] = kept.groupby([MODEL, "pair_id"], sort=False).cumcount()
    keys = ["pair_id", _REPEAT]
    kept["_key"] = kept.groupby(keys, sort=False).ngroup()
    rewards = _rewards(kept)
    notes = _margin_notes(kept, rewards)
    errors = kept["error"] if "error" in kept.columns else pd.Series("", index=kept.index)
    errors = errors.fillna("").astype(str)
    for side, values in rewards.items():
        kept[side] = values.where(errors == "", np.nan)
    kept["_error"] = errors
    pairs, varying = _pair_columns(kept)
    wide = {
        name: kept.pivot(index="_key", columns=MODEL, values=name).reindex(columns=names)
        for name in ("reward_chosen", "reward_rejected", "_error")
    }
    repeated = int((pairs.pop(_REPEAT) > 0).sum())
    if repeated:
        notes.append(f"{repeated} rows repeat a pair that is already in the table; all are used.")
    chosen, rejected = _plain(wide["reward_chosen"]), _plain(wide["reward_rejected"])
    reasons = _plain(wide["_error"]).fillna(NOT_SCORED)
    with np.errstate(invalid="ignore"):
        unexplained = (chosen - rejected).isna() & (reasons == "")
    reasons = reasons.mask(unexplained, NO_MARGIN)
    return PairScores(tuple(names), pairs, chosen, rejected, reasons, varying, tuple(notes))


def _check_columns(table: pd.DataFrame, models: Sequence[str] | None) -> list[str]:
    missing = [name for name in NEEDED_COLUMNS if name not in table.columns]
    if missing:
        raise TableError(
            f"The table of scores has no column {', '.join(missing)}.",
            fix=f"It needs {', '.join(NEEDED_COLUMNS)}: one row a model and pair.",
        )
    there = list(dict.fromkeys(table[MODEL].astype(str)))
    names = list(dict.fromkeys(models)) if models is not None else there
    for name in names:
        if name not in there:
            raise CompareError(
                f"There is no model {name!r} in the table.", fix=f"It has {', '.join(there)}."
            )
    if not MIN_MODELS <= len(names) <= MAX_MODELS:
        raise CompareError(
            f"A comparison takes {MIN_MODELS} to {MAX_MODELS} models, here are {len(names)}.",
            fix="Choose which models to compare.",
        )
    return names


def _rewards(kept: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    rewards = {}
    for name in ("reward_chosen", "reward_rejected"):
        try:
            rewards[name] = pd.to_numeric(kept[name]).astype("float64")
        except (ValueError, TypeError) as error:
            raise TableError(
                f"Column {name} is not made of numbers: {error}.",
                fix="Leave a reward empty where there is none, and say why in column error.",
            ) from error
    return rewards


def _margin_notes(kept: pd.DataFrame, rewards: Mapping[str, "pd.Series[float]"]) -> list[str]:
    if "margin" not in kept.columns:
        return []
    with np.errstate(invalid="ignore"):
        margin = rewards["reward_chosen"] - rewards["reward_rejected"]
        given = pd.to_numeric(kept["margin"], errors="coerce")
        size = rewards["reward_chosen"].abs() + rewards["reward_rejected"].abs()
        differs = int(((given - margin).abs() > _SAME_MARGIN * size.clip(lower=1)).sum())
    if not differs:
        return []
    return [
        f"In {differs} rows the column margin is not reward_chosen - reward_rejected; "
        "the difference of the rewards is used."
    ]


def _pair_columns(kept: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row a pair with the columns that do not depend on the model, and those that do."""
    skipped = {*OWN_COLUMNS, "_key", "_error"} - {"pair_id", "prompt_id"}
    own = [name for name in kept.columns if name not in skipped]
    varying = []
    columns = {}
    for name in own:
        texts = kept[name].map(repr, na_action="ignore")
        if int(texts.groupby(kept["_key"]).nunique().max() if len(kept) else 0) > 1:
            varying.append(str(name))
        else:
            columns[name] = kept.groupby("_key")[name].first()
    if "prompt_id" in varying:
        at = kept.groupby("pair_id")["prompt_id"].nunique().idxmax()
        raise TableError(
            f"Pair {at!r} has a different prompt_id under different models.",
            fix="Give the same pair the same prompt_id in every row.",
        )
    pairs = pd.DataFrame(columns).reset_index(drop=True)
    first = ["pair_id", "prompt_id"]
    rest = [name for name in pairs.columns if name not in first]
    return pairs[first + rest], tuple(varying)


def _plain(wide: pd.DataFrame) -> pd.DataFrame:
    wide = wide.reset_index(drop=True)
    wide.columns = pd.Index([str(name) for name in wide.columns])
    return wide
