"""Pairs read under other prompts: does the preference hold where the prompt no longer supports it?

A model can widen the gap inside a pair from the responses alone. If its gap under other prompts is
centred on its gap under the own one, the prompt did little. Legitimate quality (fluency, safety)
needs no prompt either, so a high retention is no defect by itself: compare slices of pairs whose
preference should and should not depend on the prompt.

Source of the question: the decomposition of rewards into prompt-free and prompt-related parts,
arXiv 2504.06020, figure 1. The measures are our reading.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from core.errors import TableError
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.labs.prompt_awareness import other_prompts
from core.labs.prompt_awareness.intake import (
    prompt_key,
    prompt_text,
    read_scored,
    shown_texts,
    usable_pairs,
)
from core.labs.prompt_awareness.measures import (
    GapTable,
    SwapMeasures,
    flip_shares,
    measure,
    win_credit,
)
from core.labs.prompt_awareness.other_prompts import (
    SWAP_KINDS,
    OtherPrompt,
    PromptPool,
    SwapKind,
    TypedPrompt,
)
from core.schema import Message, with_response
from core.stats import FloatArray

OWN = "own"
"""The kind of the rows that read a pair under its own prompt."""

PLAN_KEYS = ("pair_id", "kind", "swap", SIDE)
"""What tells the rows of a scored plan apart: `swap` counts the other prompts of a kind from 0."""


@dataclass(frozen=True)
class SwapOptions:
    """Which other prompts to read the pairs under.

    Attributes:
        kinds: where the other prompts come from; "typed" is added where `typed` is given.
        n_prompts: how many of each kind a pair gets, at least 1. There is one empty prompt.
        typed: prompts to read every pair under: words for the user's last turn, or messages.
        topic_column: column whose equal values are one topic; None takes the most similar prompts.
        near_duplicate: prompts at least this similar (0 to 1) are the same question, not a swap. In
            the authored pairs rewordings of one question lie between 0.54 and 0.66, other
            neighbours at 0.18 in the middle.
        slice_by: column by which results are broken down as well.
        seed: of every random choice.
        confidence: coverage of the intervals.
    """

    kinds: tuple[SwapKind, ...] = ("random", "same-topic", "contradictory", "empty", "shuffled")
    n_prompts: int = 4
    typed: tuple[TypedPrompt, ...] = ()
    topic_column: str | None = None
    near_duplicate: float = 0.5
    slice_by: str | None = None
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in SWAP_KINDS]
        if unknown or self.n_prompts < 1:
            raise ValueError(f"Unknown kinds {unknown} or n_prompts {self.n_prompts} below 1.")

    def wanted(self) -> tuple[SwapKind, ...]:
        """The kinds, each once, in their fixed order."""
        asked = {*self.kinds, *(["typed"] if self.typed else [])}
        return tuple(kind for kind in SWAP_KINDS if kind in asked)


def plan(
    pairs: pd.DataFrame, options: SwapOptions | None = None, *, pool: pd.DataFrame | None = None
) -> Plan:
    """Both conversations of every pair, under its own prompt and under the others.

    Args:
        pairs: the table of pairs.
        options: which other prompts.
        pool: where random and same-topic prompts come from (`prompt_id`, `prompt` and the topic
            column); by default the pairs' own prompts. A single pair needs one.

    Returns:
        Requests with `pair_id`, `prompt_id`, `kind` ("own" or the kind of swap), `swap`, `side`,
        `swap_prompt_id`, `note` and, where asked for, `slice`. Left out are damaged pairs, and
        pairs for which a kind has no prompt or fewer than asked for.

    Raises:
        TableError: a column is missing.
    """
    options = options or SwapOptions()
    usable, left_out = usable_pairs(pairs)
    source = usable if pool is None else pool
    _require_own_columns(usable, source, options)
    prompts = PromptPool(source, options.topic_column)
    short = Counter[str](left_out)
    rows: list[dict[str, Any]] = []
    for record in usable.to_dict("records"):
        others = _others(record, prompts, options)
        for kind in options.wanted():
            short.update(_shortfall(kind, len(others[kind]), options))
        rows.extend(_requests(record, others, options.slice_by))
    columns = ["pair_id", "prompt_id", "kind", "swap", SIDE, "swap_prompt_id", "note"]
    sliced = ["slice"] if options.slice_by else []
    return Plan(pd.DataFrame(rows, columns=[*columns, *sliced, CONVERSATION]), dict(short))


def _require_own_columns(pairs: pd.DataFrame, pool: pd.DataFrame, options: SwapOptions) -> None:
    in_both = options.topic_column if "same-topic" in options.wanted() else None
    for name, table, what in (
        (options.slice_by, pairs, "table of pairs"),
        (in_both, pairs, "table of pairs"),
        (in_both, pool, "pool of prompts"),
    ):
        if name is not None and name not in table.columns:
            raise TableError(f"The {what} has no column {name!r}.", fix="Choose one it has.")


def _others(
    record: Mapping[Any, Any], pool: PromptPool, options: SwapOptions
) -> dict[SwapKind, list[OtherPrompt]]:
    prompt: list[Message] = record["prompt"]
    key, n = prompt_key(prompt), options.n_prompts
    makers: dict[SwapKind, Iterator[OtherPrompt]] = {}
    for number, kind in enumerate(SWAP_KINDS):
        # By prompt and kind, so that a changed response or another kind changes no choice.
        rng = np.random.default_rng([options.seed, number, int(key, 16)])
        if kind == "random":
            makers[kind] = pool.random(record["prompt_id"], key, n, rng)
        elif kind == "same-topic" and options.topic_column:
            topic = record.get(options.topic_column)
            makers[kind] = pool.of_topic(record["prompt_id"], key, topic, n, rng)
        elif kind == "same-topic":
            text, limit = prompt_text(prompt), options.near_duplicate
            makers[kind] = pool.nearest(record["prompt_id"], key, text, n, limit)
        elif kind == "contradictory":
            makers[kind] = other_prompts.contradictory(prompt, n)
        elif kind == "shuffled":
            makers[kind] = other_prompts.shuffled(prompt, n, rng)
        elif kind == "empty":
            makers[kind] = other_prompts.empty(prompt)
        else:
            makers[kind] = other_prompts.typed(prompt, options.typed)
    return {kind: list(makers[kind]) for kind in options.wanted()}


def _shortfall(kind: SwapKind, found: int, options: SwapOptions) -> list[str]:
    asked = {"empty": 1, "typed": len(options.typed)}.get(kind, options.n_prompts)
    if found == 0:
        return [f"{kind}: no other prompt"]
    return [f"{kind}: fewer than {asked} other prompts"] if found < asked else []


def _requests(
    record: Mapping[Any, Any], others: Mapping[SwapKind, Sequence[OtherPrompt]], sliced: str | None
) -> Iterator[dict[str, Any]]:
    keys = {name: record[name] for name in ("pair_id", "prompt_id")}
    if sliced:
        keys["slice"] = record[sliced]
    readings: list[tuple[str, int, OtherPrompt]] = [
        (OWN, 0, OtherPrompt("typed", record["prompt"], record["prompt_id"]))
    ]
    for found in others.values():
        readings += [(other.kind, number, other) for number, other in enumerate(found)]
    for kind, number, other in readings:
        for side in SIDES:
            yield {
                **keys, "kind": kind, "swap": number, SIDE: side,
                "swap_prompt_id": other.source, "note": other.note,
                CONVERSATION: with_response(other.prompt, record[side]),
            }  # fmt: skip


@dataclass(frozen=True)
class SwapResult:
    """What is left of each pair's gap under other prompts, for one model.

    Attributes:
        gaps: one row a pair and prompt: `pair_id`, `prompt_id`, `kind`, `swap`, `swap_prompt_id`,
            `note`, `reward_chosen`, `reward_rejected`, `gap` = their difference (NaN with a reason
            in `error`), and the texts, where the scored table has conversations.
        pairs: one row a pair and kind of swap: `own_gap`, `swapped_mean`, `swapped_std` (sample
            standard deviation, NaN for one prompt), `n_swaps`, `n_failed`, `flip_share`,
            `swapped_credit`.
        measures: the aggregates of each kind.
        slices: aggregates of each kind within each value of the slice column, as in `table()`.
        left_out: pairs and rows that could not be used, by kind and reason.
    """

    gaps: pd.DataFrame
    pairs: pd.DataFrame
    measures: Mapping[SwapKind, SwapMeasures]
    slices: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """The aggregates, one row a kind and measure, with interval and what was left out."""
        return pd.DataFrame(
            [row for kind, found in self.measures.items() for row in _measure_rows(kind, found)],
            columns=list(_MEASURE_COLUMNS),
        )


_MEASURE_COLUMNS = (
    "kind", "measure", "value", "low", "high", "confidence", "n", "n_prompts",
    "smallest_detectable", "method", "left_out",
)  # fmt: skip


def _measure_rows(kind: str, measures: SwapMeasures) -> Iterator[dict[str, Any]]:
    for name, measured in measures.items():
        estimate = measured.estimate
        yield {
            "kind": kind, "measure": name, "value": estimate.value, "low": estimate.low,
            "high": estimate.high, "confidence": estimate.confidence, "n": estimate.n,
            "n_prompts": estimate.n_prompts, "smallest_detectable": measured.smallest_detectable,
            "method": estimate.method, "left_out": sum(estimate.left_out.values()),
        }  # fmt: skip


def run(scored: pd.DataFrame, options: SwapOptions | None = None) -> SwapResult:
    """Own against swapped gaps of one model.

    Args:
        scored: the plan with rewards, or any table with `pair_id`, `prompt_id`, `kind`, `swap`,
            `side` and `reward`.
        options: seed and confidence of the intervals; the slice column was chosen in the plan.

    Raises:
        TableError: a column is missing, a row stands twice, or there are several models.
    """
    options = options or SwapOptions()
    rng = np.random.default_rng(options.seed)
    gaps = _gaps(read_scored(scored, PLAN_KEYS))
    pairs = _by_pair(gaps)
    measures: dict[SwapKind, SwapMeasures] = {}
    left_out = Counter[str]()
    for kind in _kinds_in(pairs):
        of_kind = pairs.loc[pairs["kind"] == kind]
        missing = _missing(of_kind)
        left_out.update({f"{kind}: {reason}": count for reason, count in missing.items()})
        n_failed = int(of_kind["n_failed"].sum())
        left_out.update({f"{kind}: other prompts without a gap": n_failed} if n_failed else {})
        measures[kind] = measure(
            GapTable.of(of_kind), rng=rng, confidence=options.confidence, left_out=missing
        )
    return SwapResult(gaps, pairs, measures, _slices(pairs, rng, options), dict(left_out))


def _kinds_in(pairs: pd.DataFrame) -> list[SwapKind]:
    found = list(pairs["kind"].unique())
    known = [kind for kind in SWAP_KINDS if kind in found]
    return [*known, *(cast(SwapKind, kind) for kind in found if kind not in known)]


def _gaps(scored: pd.DataFrame) -> pd.DataFrame:
    """One row a pair and prompt with the rewards of both sides."""
    scored = pd.concat([scored, shown_texts(scored)], axis=1)
    keys = ["pair_id", "kind", "swap"]
    sides = {side: scored.loc[scored[SIDE] == side].set_index(keys) for side in SIDES}
    optional = ("swap_prompt_id", "note", "slice")
    shared = ["prompt_id", *(c for c in optional if c in scored.columns), "prompt_text"]
    first = scored.drop_duplicates(keys).set_index(keys)[shared]
    wide = first.assign(
        **{name: "" for name in optional[:2] if name not in scored.columns},
        **{f"reward_{side}": sides[side][REWARD].reindex(first.index) for side in SIDES},
        **{side: sides[side]["response_text"].reindex(first.index) for side in SIDES},
    )
    errors = [sides[side][ERROR].reindex(first.index).fillna("not scored") for side in SIDES]
    wide["gap"] = wide["reward_chosen"] - wide["reward_rejected"]
    wide["error"] = [
        "; ".join(dict.fromkeys(filter(None, both))) for both in zip(*errors, strict=True)
    ]
    return wide.reset_index()


def _by_pair(gaps: pd.DataFrame) -> pd.DataFrame:
    """One row a pair and kind of other prompt."""
    own = gaps.loc[gaps["kind"] == OWN].set_index("pair_id")["gap"]
    rows = []
    for (kind, pair_id), group in gaps.loc[gaps["kind"] != OWN].groupby(
        ["kind", "pair_id"], sort=False
    ):
        swapped = group["gap"].dropna().to_numpy(dtype=np.float64)
        own_gap = float(own.get(pair_id, np.nan))
        n = len(swapped)
        row = {
            "pair_id": pair_id, "prompt_id": group["prompt_id"].iloc[0], "kind": kind,
            "own_gap": own_gap,
            "swapped_mean": _mean_of(swapped),
            "swapped_std": _std_of(swapped),
            "n_swaps": n, "n_failed": len(group) - n,
            "flip_share": flip_shares(own_gap, swapped),
            "swapped_credit": float(win_credit(swapped).mean()) if n else np.nan,
        }  # fmt: skip
        rows.append(row | ({"slice": group["slice"].iloc[0]} if "slice" in group else {}))
    columns = [
        "pair_id", "prompt_id", "kind", "own_gap", "swapped_mean", "swapped_std", "n_swaps",
        "n_failed", "flip_share", "swapped_credit",
    ]  # fmt: skip
    sliced = ["slice"] if "slice" in gaps.columns else []
    return pd.DataFrame(rows, columns=[*columns, *sliced])


def _mean_of(values: FloatArray) -> float:
    """The mean, and exactly the common value where all are equal, so that 1 is retained as 1."""
    if not len(values):
        return float("nan")
    return float(values[0]) if (values == values[0]).all() else float(values.mean())


def _std_of(values: FloatArray) -> float:
    """The sample standard deviation; exactly 0 where all values are equal."""
    if len(values) < 2:
        return float("nan")
    return 0.0 if (values == values[0]).all() else float(values.std(ddof=1))


def _missing(pairs: pd.DataFrame) -> dict[str, int]:
    no_own = pairs["own_gap"].isna()
    no_swapped = pairs["swapped_mean"].isna() & ~no_own
    counts = {"no gap under the own prompt": no_own, "no gap under other prompts": no_swapped}
    return {reason: int(rows.sum()) for reason, rows in counts.items() if rows.any()}


def _slices(pairs: pd.DataFrame, rng: np.random.Generator, options: SwapOptions) -> pd.DataFrame:
    columns = ["slice", *_MEASURE_COLUMNS]
    if "slice" not in pairs.columns:
        return pd.DataFrame(columns=columns)
    rows = []
    for (kind, name), group in pairs.groupby(["kind", "slice"], sort=False, dropna=False):
        found = measure(
            GapTable.of(group), rng=rng, confidence=options.confidence, left_out=_missing(group)
        )
        rows += [{"slice": name, **row} for row in _measure_rows(str(kind), found)]
    return pd.DataFrame(rows, columns=columns)


OffenderOrder = Literal["gap", "reward"]
OFFENDER_ORDERS: tuple[OffenderOrder, ...] = get_args(OffenderOrder)


def worst_offenders(
    result: SwapResult, *, by: OffenderOrder = "gap", most: int = 50
) -> pd.DataFrame:
    """Where a wrong prompt was preferred to the own one, the worst first.

    Args:
        result: of `run`.
        by: "gap": the pair's gap is larger under the wrong prompt; a prompt's own effect on rewards
            cancels. "reward": the chosen response has more reward under the wrong prompt.
        most: rows at most.

    Returns:
        Rows of `result.gaps` with `own_gap`, `gap_excess` (swapped minus own gap),
        `reward_excess` (of the chosen response) and `own_prompt_text`, where the one that `by`
        names is above zero.
    """
    if by not in OFFENDER_ORDERS:
        raise ValueError(f"Order by one of {', '.join(OFFENDER_ORDERS)}, not {by!r}.")
    own = result.gaps.loc[result.gaps["kind"] == OWN].set_index("pair_id")
    swapped = result.gaps.loc[result.gaps["kind"] != OWN]
    matched = own.reindex(swapped["pair_id"])
    own_gap = matched["gap"].to_numpy(dtype=np.float64)
    own_reward = matched["reward_chosen"].to_numpy(dtype=np.float64)
    table = swapped.assign(
        own_gap=own_gap,
        gap_excess=swapped["gap"].to_numpy(dtype=np.float64) - own_gap,
        reward_excess=swapped["reward_chosen"].to_numpy(dtype=np.float64) - own_reward,
        own_prompt_text=matched["prompt_text"].to_numpy(dtype=object),
    )
    excess = f"{by}_excess"
    offenders = table.loc[table[excess] > 0].sort_values(excess, ascending=False, kind="stable")
    return offenders.head(most).reset_index(drop=True)
