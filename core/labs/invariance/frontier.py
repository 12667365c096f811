"""What invariance costs: held-out accuracy and MMD over coefficients of the penalty."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.invariance import mmd
from core.labs.invariance.linear_head import (
    HeadError,
    HeadOptions,
    LinearHead,
    PairFeatures,
    train,
)
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import REWARD
from core.stats import Estimate, FloatArray, cluster_codes, pair_accuracy


@dataclass(frozen=True)
class FrontierOptions:
    """Which heads are trained and how they are measured.

    Attributes:
        coefficients: of the penalty; 0 is the plain head.
        head: everything else about the training.
        n_folds: parts of the prompts; each is measured by heads trained on the others.
        conditional: which MMD is measured; None for the one that is penalised.
        confidence: coverage of the intervals.
        n_permutations: of the test of each head's MMD.
        seed: of the folds and the resampling.
    """

    coefficients: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
    head: HeadOptions = field(default_factory=HeadOptions)
    n_folds: int = 5
    conditional: bool | None = None
    confidence: float = 0.95
    n_permutations: int = 500
    seed: int = 0


@dataclass(frozen=True)
class FrontierResult:
    """Heads from careless to invariant.

    Attributes:
        options: as given.
        points: one row a coefficient: `coefficient, accuracy, accuracy_low, accuracy_high, mmd,
            mmd_low, mmd_high, p_value, with_attribute, with_low, with_high, n_with,
            against_attribute, against_low, against_high, n_against, n_pairs, n_prompts, penalty,
            converged`. Accuracy and MMD are held out; `with_attribute` is the accuracy on pairs
            whose chosen response is in the higher bin, `against_attribute` where it is in the
            lower; `penalty` is that of the head trained on all pairs.
        heads: the head of each coefficient, trained on all pairs.
        held_out: one row a pair and side: `pair, prompt_id, side, bin, fold`, and for each
            coefficient its held-out rewards, in spreads of the head's training rewards.
        left_out: pairs that could not be used, counted by reason.
    """

    options: FrontierOptions
    points: pd.DataFrame
    heads: Mapping[float, LinearHead]
    held_out: pd.DataFrame
    left_out: Mapping[str, int]


def frontier(pairs: PairFeatures, options: FrontierOptions | None = None) -> FrontierResult:
    """Accuracy and MMD of heads trained with each coefficient, on prompts they have not seen.

    Heads of different folds have different scales, so each fold's rewards are divided by the spread
    its head has on its training responses before they are pooled for the MMD.

    Args:
        pairs: features, bins and prompts.
        options: which heads.

    Raises:
        HeadError: too few prompts for the folds, or the head cannot be trained.
    """
    options = options or FrontierOptions()
    usable = pairs.usable()
    used = pairs.take(usable)
    prompts = cluster_codes(list(used.prompt_ids))
    n_prompts = int(prompts.max(initial=-1)) + 1
    if not 2 <= options.n_folds <= n_prompts:
        raise HeadError(
            f"{options.n_folds} folds of {n_prompts} prompts.",
            fix="Give at least two folds, and a prompt for each.",
        )
    order = np.random.default_rng(options.seed).permutation(n_prompts)
    fold = (order % options.n_folds)[prompts]
    coefficients = sorted(set(options.coefficients))
    rewards = np.full((len(coefficients), 2, len(used)), np.nan)
    for number in range(options.n_folds):
        own = fold == number
        heads = _path(used.take(~own), coefficients, options.head)
        for at, head in enumerate(heads):
            spread = head.reward_spread or 1.0
            rewards[at, 0, own] = head.rewards(used.chosen[own]) / spread
            rewards[at, 1, own] = head.rewards(used.rejected[own]) / spread
    final = _path(used, coefficients, options.head)
    points = [
        _point(used, coefficient, rewards[at], final[at], options)
        for at, coefficient in enumerate(coefficients)
    ]
    n_missing = int((~usable).sum())
    return FrontierResult(
        options,
        pd.DataFrame(points),
        dict(zip(coefficients, final, strict=True)),
        _held_out(used, fold, coefficients, rewards),
        {"a feature is not a finite number": n_missing} if n_missing else {},
    )


def _path(pairs: PairFeatures, coefficients: list[float], head: HeadOptions) -> list[LinearHead]:
    """Heads of rising coefficients, each started from the one before."""
    heads: list[LinearHead] = []
    for coefficient in coefficients:
        options = replace(head, coefficient=coefficient)
        heads.append(train(pairs, options, start=heads[-1] if heads else None))
    return heads


def _point(
    pairs: PairFeatures,
    coefficient: float,
    rewards: FloatArray,
    head: LinearHead,
    options: FrontierOptions,
) -> dict[str, object]:
    margins = rewards[0] - rewards[1]
    everything = np.ones(len(pairs), dtype=bool)
    known = (pairs.chosen_bins >= 0) & (pairs.rejected_bins >= 0)
    accuracy = _accuracy(margins, pairs, everything, options)
    with_it = _accuracy(margins, pairs, known & (pairs.chosen_bins > pairs.rejected_bins), options)
    against = _accuracy(margins, pairs, known & (pairs.chosen_bins < pairs.rejected_bins), options)
    measured = _measured(pairs, rewards, options)
    return {
        "coefficient": coefficient,
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "mmd": measured.total.value,
        "mmd_low": measured.total.low,
        "mmd_high": measured.total.high,
        "p_value": measured.test.p_value,
        "with_attribute": with_it.value,
        "with_low": with_it.low,
        "with_high": with_it.high,
        "n_with": with_it.n,
        "against_attribute": against.value,
        "against_low": against.low,
        "against_high": against.high,
        "n_against": against.n,
        "n_pairs": accuracy.n,
        "n_prompts": accuracy.n_prompts,
        "penalty": head.penalty,
        "converged": head.converged,
    }


def _accuracy(
    margins: FloatArray,
    pairs: PairFeatures,
    chosen: npt.NDArray[np.bool_],
    options: FrontierOptions,
) -> Estimate:
    prompts = [prompt for prompt, kept in zip(pairs.prompt_ids, chosen, strict=True) if kept]
    rng = np.random.default_rng(options.seed)
    found = pair_accuracy(margins[chosen], prompts, rng=rng, confidence=options.confidence)
    return found.accuracy


def _measured(pairs: PairFeatures, rewards: FloatArray, options: FrontierOptions) -> mmd.MmdResult:
    conditional = options.conditional
    if conditional is None:
        conditional = options.head.penalty == "conditional"
    bins = np.concatenate([pairs.chosen_bins, pairs.rejected_bins]).tolist()
    scored = pd.DataFrame(
        {
            "prompt_id": [*pairs.prompt_ids, *pairs.prompt_ids],
            SIDE: np.repeat(SIDES, len(pairs)),
            REWARD: rewards.ravel(),
        }
    )
    return mmd.run(
        scored,
        [number if number >= 0 else None for number in bins],
        mmd.MmdOptions(
            conditional=conditional,
            confidence=options.confidence,
            n_permutations=options.n_permutations,
            seed=options.seed,
        ),
    )


def _held_out(
    pairs: PairFeatures,
    fold: npt.NDArray[np.int64],
    coefficients: list[float],
    rewards: FloatArray,
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "pair": np.tile(np.arange(len(pairs)), 2),
            "prompt_id": [*pairs.prompt_ids, *pairs.prompt_ids],
            SIDE: np.repeat(SIDES, len(pairs)),
            "bin": np.concatenate([pairs.chosen_bins, pairs.rejected_bins]),
            "fold": np.tile(fold, 2),
        }
    )
    columns = {
        f"reward at {coefficient:g}": rewards[at].ravel()
        for at, coefficient in enumerate(coefficients)
    }
    return table.assign(**columns)
