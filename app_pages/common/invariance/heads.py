"""Heads for the page: features of pairs, a planted bias, and what a head pays for an edit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.attributes import NO_BIN, Attribute, bin_by_quantiles
from core.labs.invariance.frontier import FrontierOptions, FrontierResult, frontier
from core.labs.invariance.linear_head import HeadOptions, PairFeatures, Penalty
from core.labs.invariance.synthetic_bias import inject_text_bias
from core.labs.pairs import SIDES, plan_pairs
from core.perturbations import get
from core.schema import Conversation
from core.stats import FloatArray

COEFFICIENTS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
DECAY = 0.1
N_FOLDS = 5


@dataclass(frozen=True)
class HeadChoices:
    """How heads are trained on the page.

    Attributes:
        penalty: which MMD is penalised.
        n_components: principal components of the hidden states a head reads.
        seed: of folds, permutations and resampling.
    """

    penalty: Penalty
    n_components: int
    seed: int

    def options(self, n_prompts: int) -> FrontierOptions:
        """For so many prompts."""
        return FrontierOptions(
            coefficients=COEFFICIENTS,
            head=HeadOptions(penalty=self.penalty, decay=DECAY, n_components=self.n_components),
            n_folds=min(N_FOLDS, n_prompts),
            seed=self.seed,
        )


@dataclass(frozen=True)
class BiasChoices:
    """A bias to plant: an edit of the response, and how often each side gets it."""

    edit: str
    p_chosen: float
    p_rejected: float
    seed: int


def conversations_of(pairs: pd.DataFrame) -> list[Conversation]:
    """Chosen, rejected, chosen, … of each pair."""
    return plan_pairs(pairs).conversations()


def real_features(pairs: pd.DataFrame, states: FloatArray, values: FloatArray, n_bins: int) -> (
    PairFeatures
):  # fmt: skip
    """Features with the bins of an attribute.

    Args:
        pairs: n pairs.
        states: (2n, d) of `conversations_of(pairs)`.
        values: (2n,) of the attribute.
        n_bins: bins at most.
    """
    bins = bin_by_quantiles(values, n_bins).bins
    bins = np.where(bins == NO_BIN, -1, bins)
    return _features(pairs, states, bins)


def _features(pairs: pd.DataFrame, states: FloatArray, bins: np.ndarray) -> PairFeatures:
    prompts = pairs["prompt_id"].tolist()
    return PairFeatures(states[0::2], states[1::2], bins[0::2], bins[1::2], prompts)


def attribute_values(pairs: pd.DataFrame, attribute: Attribute) -> FloatArray:
    """(2n,) the attribute of chosen, rejected, chosen, …"""
    texts = pairs[list(SIDES)].to_numpy(dtype=object).ravel()
    return np.array([attribute(str(text)) for text in texts], dtype=np.float64)


def plant(pairs: pd.DataFrame, bias: BiasChoices) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """The pairs with the bias, and which responses could not be given it."""
    rng = np.random.default_rng(bias.seed)
    planted = inject_text_bias(
        pairs, get(bias.edit), p_chosen=bias.p_chosen, p_rejected=bias.p_rejected, rng=rng
    )
    return planted.pairs, planted.left_out


def biased_features(planted: pd.DataFrame, states: FloatArray) -> PairFeatures:
    """Features of pairs with a planted bias; the bins are with and without it."""
    flags = planted[[f"{side}_biased" for side in SIDES]].to_numpy(dtype=np.int64).ravel()
    return _features(planted, states, flags)


def train_path(features: PairFeatures, choices: HeadChoices) -> FrontierResult:
    """Heads of all coefficients, measured on prompts they have not seen.

    Raises:
        HeadError: too few prompts, or nothing to compare.
    """
    n_prompts = len(set(features.prompt_ids))
    return frontier(features, choices.options(n_prompts))


def paid_for_edit(result: FrontierResult, before: FloatArray, after: FloatArray) -> pd.DataFrame:
    """What each head pays for the planted attribute alone, on the training texts.

    Args:
        result: heads trained on the biased pairs.
        before: (m, d) states of responses without the attribute.
        after: (m, d) states of the same responses with it.

    Returns:
        One row a coefficient: `coefficient, paid` (mean change of the head's reward in its own
        spreads) and `n`.
    """
    usable = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    rows = []
    for coefficient, head in result.heads.items():
        change = head.rewards(after[usable]) - head.rewards(before[usable])
        paid = float(np.mean(change) / (head.reward_spread or 1.0)) if usable.any() else np.nan
        rows.append((coefficient, paid, int(usable.sum())))
    return pd.DataFrame(rows, columns=["coefficient", "paid", "n"])
