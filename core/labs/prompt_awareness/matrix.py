"""Every prompt with every response: does a response fit its own prompt best, and does a prompt
prefer its own response?

Source of the ranks and the split: our reading of what a reward that reads the prompt must show.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from core.labs.pairs import SIDE, SIDES
from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.labs.prompt_awareness.intake import (
    prompt_key,
    read_scored,
    require_columns,
    shown_texts,
    usable_pairs,
)
from core.labs.prompt_awareness.measures import Measured
from core.labs.prompt_awareness.variance import VarianceShares, interaction, variance_shares
from core.stats import (
    FloatArray,
    clustered_mean,
    clustered_standard_error,
    smallest_detectable_effect,
)

Responses = Literal["chosen", "both"]

KEYS = ("prompt_id", "response_id")
"""What tells the cells apart. `source_prompt_id` is the prompt a response was written for."""


@dataclass(frozen=True)
class MatrixOptions:
    """Which prompts and responses make the matrix.

    Attributes:
        responses: the chosen responses, or both of each pair.
        most_prompts: prompts at most, at least 2; more are drawn from by the seed. 20 to 50 are
            enough, and the cost is prompts times responses.
        seed: of the drawing and the intervals.
        confidence: coverage of the intervals.
    """

    responses: Responses = "chosen"
    most_prompts: int = 30
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.responses not in ("chosen", "both") or self.most_prompts < 2:
            raise ValueError(f"Unknown responses {self.responses!r} or fewer than two prompts.")


def plan(pairs: pd.DataFrame, options: MatrixOptions | None = None) -> Plan:
    """Every prompt with every response: keys `prompt_id`, `response_id`, `source_prompt_id`, side.

    One pair a prompt enters, the first, so that every prompt has the same number of responses.

    Raises:
        TableError: a column is missing.
    """
    options = options or MatrixOptions()
    usable, left_out = usable_pairs(pairs)
    counts = Counter[str](left_out)
    keys = pd.Series([prompt_key(prompt) for prompt in usable["prompt"]], dtype=object)
    repeated = (usable["prompt_id"].duplicated() | keys.duplicated()).to_numpy(dtype=bool)
    counts["another pair of a prompt that is in"] += int(repeated.sum())
    distinct = usable.loc[~repeated].reset_index(drop=True)
    if len(distinct) > options.most_prompts:
        counts["prompts beyond the number asked for"] += len(distinct) - options.most_prompts
        rng = np.random.default_rng(options.seed)
        drawn = np.sort(rng.choice(len(distinct), options.most_prompts, replace=False))
        distinct = distinct.iloc[drawn]
    columns = [*KEYS, "source_prompt_id", SIDE, CONVERSATION]
    requests = pd.DataFrame(list(_cells(distinct, options)), columns=columns)
    return Plan(requests, {reason: count for reason, count in counts.items() if count})


def _cells(pairs: pd.DataFrame, options: MatrixOptions) -> Iterator[tuple[object, ...]]:
    sides = SIDES if options.responses == "both" else SIDES[:1]
    records = pairs.to_dict("records")
    for asked in records:
        for written in records:
            for side in sides:
                conversation = [*asked["prompt"], {"role": "assistant", "content": written[side]}]
                response_id = f"{written['pair_id']}/{side}"
                yield asked["prompt_id"], response_id, written["prompt_id"], side, conversation


@dataclass(frozen=True)
class OwnRank:
    """How high the own one stands among the others; ties take the middle of their places.

    Intervals resample whose rank is taken and hold those it is ranked among as they are.

    Attributes:
        rank: mean rank, 1 is best.
        reciprocal_rank: mean of 1 / rank (MRR), 1 is best.
        chance_rank: mean rank of a reward that knows nothing, for the same candidates.
        chance_reciprocal_rank: its mean reciprocal rank.
        ranks: one row a response or prompt: its own rank, the number of candidates, its own reward
            and which other stands highest.
    """

    rank: Measured
    reciprocal_rank: Measured
    chance_rank: float
    chance_reciprocal_rank: float
    ranks: pd.DataFrame


@dataclass(frozen=True)
class MatrixResult:
    """One model's rewards of every prompt with every response.

    Attributes:
        cells: one row a cell, the table of the heat-map: `prompt_id`, `response_id`,
            `source_prompt_id`, `side`, `own`, `reward`, `interaction` (reward without the row's and
            the column's mean, NaN where the row or column was taken out), `error`, texts.
        rewards: the same as a matrix: index prompt ids, columns (source prompt, response id).
        response_ranks: for each response, the rank of its own prompt among the prompts. A prompt's
            own effect on rewards does not cancel here.
        prompt_ranks: for each prompt, the rank of its own response among the responses of the same
            side. This is the one that matters: it compares responses to one prompt.
        shares: variance split into prompt, response and interaction.
        left_out: cells without a reward and ranks that could not be had, by reason.
    """

    cells: pd.DataFrame
    rewards: pd.DataFrame
    response_ranks: OwnRank
    prompt_ranks: OwnRank
    shares: VarianceShares
    left_out: Mapping[str, int] = field(default_factory=dict)


def run(scored: pd.DataFrame, options: MatrixOptions | None = None) -> MatrixResult:
    """Ranks and variance shares of one model.

    Args:
        scored: the plan with rewards, or any table with `prompt_id`, `response_id`,
            `source_prompt_id`, `reward` and, where there are both, `side`.
        options: seed and confidence of the intervals.

    Raises:
        TableError: a column is missing, a cell stands twice, or there are several models.
    """
    options = options or MatrixOptions()
    require_columns(scored, [*KEYS, "source_prompt_id"], "scored table")
    cells = read_scored(scored, KEYS)
    ids = ("prompt_id", "response_id", "source_prompt_id")
    cells = cells.assign(**{name: cells[name].map(str) for name in ids})
    if SIDE not in cells.columns:
        cells[SIDE] = SIDES[0]
    cells = pd.concat([cells, shown_texts(cells)], axis=1)
    cells["own"] = cells["prompt_id"] == cells["source_prompt_id"]
    rewards = _as_matrix(cells)
    shares = variance_shares(rewards, confidence=options.confidence)
    cells["interaction"] = _interactions(cells, rewards)
    rng = np.random.default_rng(options.seed)
    by_response = _own_ranks(cells, ["response_id"], "prompt_id", rng, options)
    by_prompt = _own_ranks(cells, ["prompt_id", SIDE], "response_id", rng, options)
    left_out = Counter(error for error in cells[ERROR] if error)
    absent = rewards.size - len(cells)
    left_out.update({"cell not in the table": absent} if absent else {})
    left_out.update(shares.left_out)
    columns = [name for name in cells.columns if name != CONVERSATION]
    return MatrixResult(cells[columns], rewards, by_response, by_prompt, shares, dict(left_out))


def _as_matrix(cells: pd.DataFrame) -> pd.DataFrame:
    """Rewards with prompts as rows and (source prompt, response) as columns, in their order."""
    columns = cells[["source_prompt_id", "response_id"]].drop_duplicates()
    labels = pd.MultiIndex.from_frame(columns)
    wide = cells.pivot(
        index="prompt_id", columns=["source_prompt_id", "response_id"], values=REWARD
    )
    return wide.reindex(index=pd.unique(cells["prompt_id"]), columns=labels)


def _interactions(cells: pd.DataFrame, rewards: pd.DataFrame) -> FloatArray:
    """The interaction of each cell, over the rows and columns that have all their cells."""
    whole = rewards.notna()
    part = rewards.loc[whole.any(axis=1), whole.any(axis=0)]
    while part.size and part.isna().to_numpy().any():
        missing_rows, missing_columns = part.isna().mean(axis=1), part.isna().mean(axis=0)
        if missing_rows.max() >= missing_columns.max():
            part = part.drop(index=missing_rows.idxmax())
        else:
            part = part.drop(columns=[missing_columns.idxmax()])
    if not part.size:
        return np.full(len(cells), np.nan)
    found = pd.DataFrame(
        interaction(part.to_numpy(dtype=np.float64)),
        index=part.index,
        columns=part.columns.get_level_values("response_id"),
    ).stack()
    at = pd.MultiIndex.from_frame(cells[["prompt_id", "response_id"]])
    return np.asarray(found.reindex(at), dtype=np.float64)


def mid_rank(own: float, others: FloatArray) -> float:
    """1 + how many others are higher + half of those that are equal."""
    return float(1 + (others > own).sum() + (others == own).sum() / 2)


def _own_ranks(
    cells: pd.DataFrame,
    within: list[str],
    candidate: str,
    rng: np.random.Generator,
    options: MatrixOptions,
) -> OwnRank:
    """Ranks of the own cell among the cells of each group."""
    rows = []
    for _, group in cells.groupby(within, sort=False):
        own, others = group.loc[group["own"]], group.loc[~group["own"]]
        others = others.loc[others[REWARD].notna()]
        rewards = others[REWARD].to_numpy(dtype=np.float64)
        own_reward = float(own[REWARD].iloc[0]) if len(own) else np.nan
        usable = np.isfinite(own_reward) and len(rewards) > 0
        source = own["source_prompt_id"].iloc[0] if len(own) else group["source_prompt_id"].iloc[0]
        rows.append(
            {
                **{name: group[name].iloc[0] for name in within},
                "source_prompt_id": source,
                "rank": mid_rank(own_reward, rewards) if usable else np.nan,
                "n_candidates": len(rewards) + 1 if usable else 0,
                "n_missing": len(group) - len(others) - len(own) + int(np.isnan(own_reward)),
                "own_reward": own_reward,
                "best_other": others[candidate].iloc[int(rewards.argmax())] if usable else "",
            }
        )
    columns = ["source_prompt_id", "rank", "n_candidates", "n_missing", "own_reward", "best_other"]
    columns = [*within, *(name for name in columns if name not in within)]
    return _summarised(pd.DataFrame(rows, columns=columns), rng, options)


def _summarised(ranks: pd.DataFrame, rng: np.random.Generator, options: MatrixOptions) -> OwnRank:
    missing = int(ranks["rank"].isna().sum())
    left_out = {"no own reward, or nothing to rank it among": missing} if missing else {}
    usable = ranks.loc[ranks["rank"].notna()]
    prompts = [str(prompt) for prompt in usable["source_prompt_id"]]
    values = usable["rank"].to_numpy(dtype=np.float64)
    sizes = usable["n_candidates"].to_numpy(dtype=np.int64)

    def measured(numbers: FloatArray) -> Measured:
        estimate = clustered_mean(
            numbers, prompts, rng=rng, confidence=options.confidence, left_out=left_out
        )
        error = clustered_standard_error(numbers, prompts)
        return Measured(estimate, smallest_detectable_effect(error, confidence=options.confidence))

    return OwnRank(
        measured(values),
        measured(1 / values),
        float(((sizes + 1) / 2).mean()) if len(sizes) else np.nan,
        float(np.mean([chance_reciprocal_rank(size) for size in sizes])) if len(sizes) else np.nan,
        ranks,
    )


def chance_reciprocal_rank(n_candidates: int) -> float:
    """Mean of 1 / rank when each rank from 1 to n is as likely: the harmonic number over n."""
    return float((1 / np.arange(1, n_candidates + 1)).mean())
