"""PPE style: agreement with people's choices, and with verified correctness over many samples.

Human preference: accuracy, and how alike the rankings of language models are (see `ppe_models`).
Correctness (MMLU-Pro, MATH, GPQA, MBPP-Plus, IFEval; 32 samples a prompt): accuracy on the pairs
the authors drew, ROC-AUC over all samples, and the best-of-k curve against an oracle.

Source: Frick et al. 2024, arXiv 2410.14872, sections 4 and 5. As public re-implementations read the
authors' code, rewards are put on 0 to 1 within each prompt before the ROC-AUC; the best-of-k curve
is the mean over random orders of the samples. Here that mean is exact, not drawn. Nothing is marked
official: ties count as half, and PPE has no overall score.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.labs.benchmarks.candidates import (
    GOLD,
    ITEM,
    PLACE,
    PROMPT_ID,
    SIDE,
    SUBSET,
    Item,
    plan_candidates,
    reward_problem,
)
from core.labs.benchmarks.pairs import half_credit, pair_items
from core.labs.benchmarks.ppe_models import (
    RANK_METRICS,
    Battles,
    rank_agreement,
    whole_strengths,
)
from core.labs.benchmarks.results import (
    BenchmarkOptions,
    BenchmarkResult,
    score_row,
    scores_table,
    share_of,
    split_usable,
)
from core.labs.best_of_n import expected_best, kl_of_best_of_n, order_accuracy, sizes_up_to
from core.labs.plan import ERROR, REWARD, Plan
from core.stats import Estimate, FloatArray, clustered_mean, clustered_statistic

TITLE = "PPE"
HUMAN = "human-preference"

SETS: Mapping[str, str] = {
    "mmlu-pro": "MMLU-Pro",
    "math": "MATH",
    "gpqa": "GPQA",
    "mbpp-plus": "MBPP-Plus",
    "ifeval": "IFEval",
}
"""The correctness sets by their name here."""

PAIRS = "pairs"
"""Column of a correctness item: the pairs of places [i, j] its accuracy is taken over."""
MODEL_CHOSEN, MODEL_REJECTED, TIE = "model_chosen", "model_rejected", "tie"
"""Columns of a human preference item: who wrote which side, and whether people saw a tie."""


@dataclass(frozen=True)
class Samples:
    """The samples of one prompt: (k,) rewards and gold, and the pairs to compare (None: all)."""

    item_id: str
    prompt_id: str
    rewards: FloatArray
    gold: FloatArray
    pairs: Sequence[tuple[int, int]] | None
    reason: str


def plan(table: pd.DataFrame, options: BenchmarkOptions | None = None) -> Plan:
    """Every response and sample."""
    del options
    return plan_candidates(table)


def run(scored: pd.DataFrame, options: BenchmarkOptions | None = None) -> BenchmarkResult:
    """The metrics of every part that is there.

    Args:
        scored: a plan of this lab with rewards; `subset` is "human-preference" or a set's name.
        options: seed and intervals.
    """
    chosen = options or BenchmarkOptions()
    rows: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    items: list[dict[str, Any]] = []
    notes: list[str] = []
    left_out: dict[str, int] = {}
    for subset, part in scored.groupby(SUBSET, sort=False):
        if subset == HUMAN:
            found, records, lost = _human(part, chosen)
        else:
            samples = collect_samples(part)
            found, records, lost = _correctness(str(subset), samples, chosen, notes)
            curves.append(_curve(str(subset), [s for s in samples if not s.reason], chosen))
        rows += found
        items += records
        for reason, count in lost.items():
            left_out[reason] = left_out.get(reason, 0) + count
    wanted = (HUMAN, *SETS)
    present = {str(subset) for subset in scored[SUBSET]}
    tables = {"best_of_k": pd.concat(curves, ignore_index=True)} if curves else {}
    return BenchmarkResult(
        TITLE,
        scores_table(rows),
        None,
        tuple(f"{name}: not there" for name in wanted if name not in present),
        pd.DataFrame(items),
        tables,
        (*notes, "PPE has no overall score; a tie of rewards counts as half."),
        left_out,
    )


def _human(
    part: pd.DataFrame, options: BenchmarkOptions
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
    usable, left_out = split_usable(pair_items(part))
    credit = half_credit(usable)
    ties = np.array([bool(item.row.get(TIE, False)) for item in usable], dtype=bool)
    decided = [item for item, tie in zip(usable, ties, strict=True) if not tie]
    lost = left_out | ({"people saw a tie": int(ties.sum())} if ties.any() else {})
    accuracy = share_of(credit[~ties], decided, options, lost)
    rows = [score_row("subset", HUMAN, "accuracy", accuracy, official=False)]
    named = all(MODEL_CHOSEN in item.row and MODEL_REJECTED in item.row for item in usable)
    if usable and named:
        people = np.where(ties, 0.5, 1.0)
        pairs = [(str(i.row[MODEL_CHOSEN]), str(i.row[MODEL_REJECTED])) for i in usable]
        battles = Battles.of(pairs, people, credit)
        rows += [
            score_row("extra", HUMAN, metric, estimate, official=False)
            for metric, estimate in rank_estimates(battles, usable, options, left_out).items()
        ]
    records = [
        {"item_id": item.item_id, "prompt_id": item.prompt_id, "subset": HUMAN, "credit": value}
        for item, value in zip(usable, credit, strict=True)
    ]
    return rows, records, left_out


def rank_estimates(
    battles: Battles,
    items: Sequence[Item],
    options: BenchmarkOptions,
    left_out: Mapping[str, int] | None = None,
) -> dict[str, Estimate]:
    """The agreement of the two rankings of language models, with intervals over prompts."""
    # Each metric sees the same draws, and ratings are dear: each draw is rated once.
    known: dict[bytes, dict[str, float]] = {}
    starts = whole_strengths(battles)

    def metric_of(name: str, weights: FloatArray) -> float:
        key = hashlib.sha256(weights.tobytes()).digest()
        if key not in known:
            known[key] = rank_agreement(battles, weights, starts)
        return known[key][name]

    def estimate(name: str) -> Estimate:
        return clustered_statistic(
            lambda weights: metric_of(name, weights),
            [item.prompt_id for item in items],
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
            left_out=left_out,
        )

    return {name: estimate(name) for name in RANK_METRICS}


def collect_samples(part: pd.DataFrame) -> list[Samples]:
    """The prompts of one correctness set with their rewards, samples in order of place."""
    ordered = part[part[SIDE] == "response"].sort_values(PLACE, kind="stable")
    found = []
    for item_id, rows in ordered.groupby(ITEM, sort=False):
        rewards = rows[REWARD].to_numpy(dtype=np.float64)
        gold = rows[GOLD].to_numpy(dtype=np.float64)
        reason = reward_problem(rewards, rows[ERROR])
        if not reason and not np.isfinite(gold).all():
            reason = "no gold reward"
        drawn = rows[PAIRS].iloc[0] if PAIRS in rows else None
        pairs = [(int(i), int(j)) for i, j in drawn] if isinstance(drawn, list) and drawn else None
        if not reason and pairs and max(max(pair) for pair in pairs) >= len(rows):
            reason = "a pair names a sample that is not there"
        prompt = str(rows[PROMPT_ID].iloc[0])
        found.append(Samples(str(item_id), prompt, rewards, gold, pairs, reason))
    return found


def drawn_accuracy(samples: Samples) -> float:
    """Share of the prompt's pairs with different gold that the rewards order alike, ties as half.

    Without pairs drawn by the authors, over all pairs; NaN where no pair has different gold.
    """
    if samples.pairs is None:
        return order_accuracy(samples.rewards, samples.gold)
    first, second = np.array(samples.pairs, dtype=np.int64).T
    wanted = np.sign(samples.gold[first] - samples.gold[second])
    found = np.sign(samples.rewards[first] - samples.rewards[second])
    differ = wanted != 0
    return float(((wanted * found)[differ] + 1).mean() / 2) if differ.any() else float("nan")


def unit_rewards(rewards: FloatArray) -> FloatArray:
    """A prompt's rewards from 0 (its lowest) to 1 (its highest); 0.5 where all are equal."""
    spread = float(np.ptp(rewards))
    return np.asarray((rewards - rewards.min()) / spread if spread else np.full(len(rewards), 0.5))


def roc_auc(scores: FloatArray, correct: FloatArray, weights: FloatArray) -> float:
    """Chance that a correct response scores above a wrong one, ties as half; NaN without both.

    Args:
        scores: (n,) numbers, higher for responses taken to be correct.
        correct: (n,) 1 or 0.
        weights: (n,) how often each response counts.
    """
    _, places = np.unique(scores, return_inverse=True)
    return _auc_of(places, correct, weights)


def _auc_of(places: Any, correct: FloatArray, weights: FloatArray) -> float:
    right = np.bincount(places, weights=weights * correct)
    wrong = np.bincount(places, weights=weights * (1 - correct))
    total = right.sum() * wrong.sum()
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2)).sum() / total) if total > 0 else float("nan")


def _correctness(
    subset: str, samples: Sequence[Samples], options: BenchmarkOptions, notes: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
    left_out: dict[str, int] = {}
    for sample in samples:
        if sample.reason:
            left_out[sample.reason] = left_out.get(sample.reason, 0) + 1
    usable = [sample for sample in samples if not sample.reason]
    if any(sample.pairs is None for sample in usable):
        notes.append(f"{subset}: without the authors' pairs, accuracy is over all pairs.")
    accuracy = np.array([drawn_accuracy(sample) for sample in usable], dtype=np.float64)
    estimates = {
        "accuracy": clustered_mean(
            accuracy,
            [sample.prompt_id for sample in usable],
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
            left_out=left_out,
        ),
        "roc-auc": _auc_estimate(usable, options, left_out),
        **_curve_estimates(usable, options, left_out),
    }
    rows = [
        score_row(
            "subset" if metric == "accuracy" else "extra", subset, metric, found, official=False
        )
        for metric, found in estimates.items()
    ]
    records = [
        {"item_id": s.item_id, "prompt_id": s.prompt_id, "subset": subset, "credit": value}
        for s, value in zip(usable, accuracy, strict=True)
    ]
    return rows, records, left_out


def _auc_estimate(
    usable: Sequence[Samples], options: BenchmarkOptions, left_out: Mapping[str, int]
) -> Estimate:
    scores = [unit_rewards(sample.rewards) for sample in usable]
    correct = [(sample.gold > 0).astype(np.float64) for sample in usable]
    clusters = [sample.prompt_id for sample in usable for _ in sample.rewards]
    joined = np.concatenate(scores) if scores else np.zeros(0)
    right = np.concatenate(correct) if correct else np.zeros(0)
    _, places = np.unique(joined, return_inverse=True)
    return clustered_statistic(
        lambda weights: _auc_of(places, right, weights),
        clusters,
        rng=options.rng(),
        confidence=options.confidence,
        n_resamples=options.n_resamples,
        left_out=left_out,
    )


def _picks(usable: Sequence[Samples]) -> tuple[list[int], FloatArray, FloatArray]:
    """The k, and for each prompt and k what the reward model's and the oracle's pick is worth."""
    ks = sizes_up_to(min((len(sample.rewards) for sample in usable), default=0))
    picked = [expected_best(sample.rewards, sample.gold, ks) for sample in usable]
    oracle = [expected_best(sample.gold, sample.gold, ks) for sample in usable]
    return ks, np.array(picked), np.array(oracle)


def _curve_estimates(
    usable: Sequence[Samples], options: BenchmarkOptions, left_out: Mapping[str, int]
) -> dict[str, Estimate]:
    """Best-of-k summed up: at the largest k, at its best, its squared distance to the oracle."""
    if not usable:
        return {}
    # All k from 1, as in the source, not only those that are drawn.
    ks = list(range(1, min(len(sample.rewards) for sample in usable) + 1))
    picked = np.array([expected_best(sample.rewards, sample.gold, ks) for sample in usable])
    oracle = np.array([expected_best(sample.gold, sample.gold, ks) for sample in usable])

    def summary(name: str, weights: FloatArray) -> float:
        curve = weights @ picked / weights.sum()
        if name == "loss against the oracle":
            return float(((weights @ oracle / weights.sum() - curve) ** 2).mean())
        return float(curve.max() if name == "best over k" else curve[-1])

    def estimate(name: str) -> Estimate:
        return clustered_statistic(
            lambda weights: summary(name, weights),
            [sample.prompt_id for sample in usable],
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
            left_out=left_out,
        )

    names = {f"best of {ks[-1]}": "end", "best over k": "best over k"}
    found = {shown: estimate(name) for shown, name in names.items()}
    return found | {"loss against the oracle": estimate("loss against the oracle")}


def _curve(subset: str, usable: Sequence[Samples], options: BenchmarkOptions) -> pd.DataFrame:
    """One row a k: subset, k, kl, picked with its interval, and the oracle's value."""
    ks, picked, oracle = _picks(usable)
    rows = []
    for place, k in enumerate(ks):
        found = clustered_mean(
            picked[:, place],
            [sample.prompt_id for sample in usable],
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
        )
        rows.append(
            {
                "subset": subset,
                "k": k,
                "kl": float(kl_of_best_of_n(k)),
                "picked": found.value,
                "low": found.low,
                "high": found.high,
                "oracle": float(oracle[:, place].mean()),
                "n_prompts": found.n_prompts,
            }
        )
    return pd.DataFrame(rows)
