"""A linear reward head on fixed features, trained to prefer what people prefer and not to care.

The loss is Bradley-Terry plus a coefficient times the squared MMD between the rewards of an
attribute's bins. Both have gradients by hand: on one number a response, the kernel is a short sum
of cosines, so the penalty costs as much as a few more features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from core.errors import WorkbenchError
from core.labs.invariance.kernel import rbf_frequencies
from core.stats import FloatArray, cluster_codes

Penalty = Literal["none", "unconditional", "conditional"]

_WIDEST = 24.0
"""Distance of rewards, in bandwidths, up to which the kernel of the penalty is exact."""

_LEAST_WEIGHT = 1e-9
_FEWEST_MEMBERS = 2


class HeadError(WorkbenchError):
    """Features, bins or options that no head can be trained on."""


@dataclass(frozen=True)
class PairFeatures:
    """Preference pairs as features, with the bin of an attribute for each response.

    Attributes:
        chosen: (n, d) features of the chosen responses, for example last hidden states.
        rejected: (n, d) features of the rejected ones.
        chosen_bins: (n,) number of each chosen response's bin; -1 for none, which no penalty sees.
        rejected_bins: (n,) the same of the rejected ones.
        prompt_ids: (n,) the prompt of each pair.
    """

    chosen: FloatArray
    rejected: FloatArray
    chosen_bins: npt.NDArray[np.int64]
    rejected_bins: npt.NDArray[np.int64]
    prompt_ids: Sequence[object]

    def __post_init__(self) -> None:
        """Checks the shapes.

        Raises:
            HeadError: they do not fit together.
        """
        n = len(self.prompt_ids)
        if self.chosen.ndim != 2 or self.chosen.shape != self.rejected.shape:
            raise HeadError(
                f"Features of shapes {self.chosen.shape} and {self.rejected.shape}.",
                fix="Give one row a pair and the same columns for chosen and rejected.",
            )
        if not len(self.chosen) == len(self.chosen_bins) == len(self.rejected_bins) == n:
            raise HeadError(f"{len(self.chosen)} pairs of features but {n} prompts, or other bins.")

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.prompt_ids)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "PairFeatures":
        """Some of the pairs."""
        positions = np.arange(len(self))[rows]
        return PairFeatures(
            self.chosen[positions],
            self.rejected[positions],
            self.chosen_bins[positions],
            self.rejected_bins[positions],
            [self.prompt_ids[position] for position in positions],
        )

    def usable(self) -> npt.NDArray[np.bool_]:
        """(n,) pairs all of whose features are finite numbers."""
        finite = np.isfinite(self.chosen).all(axis=1) & np.isfinite(self.rejected).all(axis=1)
        return np.asarray(finite)


@dataclass(frozen=True)
class HeadOptions:
    """How a head is trained.

    Attributes:
        penalty: none; over all responses (unconditional); or within chosen and within rejected
            ones (conditional).
        coefficient: of the sum of squared MMDs over unordered pairs of bins, at least 0. The
            authors print the sum over ordered pairs: their coefficient is half of this one.
        bandwidth: of the kernel, in standard deviations of the rewards.
        decay: of the squared weights, on standardised features; above 0. With more features than
            responses a head can satisfy the penalty on the responses it is trained on and still
            care on others: raise it until training and held-out MMD agree.
        n_components: train on so many principal components of the features; None for all of them.
            Fewer than there are pairs make for heads that keep their promise on new responses.
        max_iterations: of the optimiser.
    """

    penalty: Penalty = "conditional"
    coefficient: float = 1.0
    bandwidth: float = 1.0
    decay: float = 0.01
    n_components: int | None = None
    max_iterations: int = 500


@dataclass(frozen=True)
class LinearHead:
    """A trained head: reward(features) = (features - centre) / scale @ weights.

    Attributes:
        weights: (d,) on standardised features.
        centre: (d,) mean of the training features.
        scale: (d,) their standard deviation; 1 where a feature does not vary.
        reward_spread: standard deviation of the training responses' rewards.
        loss: the whole objective at the end.
        preference_loss: its Bradley-Terry part.
        penalty: the sum of squared MMDs, without its coefficient.
        converged: whether the optimiser ended by itself.
        n_iterations: how many steps it took.
        n_pairs: pairs it was trained on.
        left_out: what was not used, counted by reason.
    """

    weights: FloatArray
    centre: FloatArray
    scale: FloatArray
    reward_spread: float
    loss: float
    preference_loss: float
    penalty: float
    converged: bool
    n_iterations: int
    n_pairs: int
    left_out: dict[str, int] = field(default_factory=dict)

    def rewards(self, features: FloatArray) -> FloatArray:
        """(n,) rewards of (n, d) features; their level is arbitrary, as a preference leaves it."""
        return np.asarray((features - self.centre) / self.scale @ self.weights)


class Objective:
    """Bradley-Terry plus penalty plus decay as a function of the weights, with its gradient.

    The penalty is taken on rewards divided by their standard deviation: a kernel of fixed width
    would be satisfied by shrinking (or stretching) all rewards alike. This is our reading; the
    authors leave the width open.

    Args:
        features: (2n, d) standardised features, chosen responses first.
        groups: (2n,) number of each response's group (bin, or side and bin); -1 for none.
        families: (groups,) number of the set of groups that are compared with each other.
        options: how the head is trained.

    Source: Wang et al. 2025 (arXiv 2501.09620), the counterfactually invariant reward objective.
    """

    def __init__(
        self,
        features: FloatArray,
        groups: npt.NDArray[np.int64],
        families: npt.NDArray[np.int64],
        options: HeadOptions,
    ) -> None:
        self.features = features
        self.n_pairs = len(features) // 2
        self.options = options
        frequencies, weights = rbf_frequencies(_WIDEST)
        heard = weights > _LEAST_WEIGHT
        self._frequencies = frequencies[heard] / options.bandwidth
        self._roots = np.sqrt(weights[heard])
        self._members = groups >= 0
        belongs = (groups[:, None] == np.arange(len(families))).astype(np.float64)
        self._averages = belongs / np.maximum(belongs.sum(axis=0), 1.0)  # (2n, groups)
        self._families = [families == number for number in np.unique(families)]

    def __call__(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """The loss and its gradient at (d,) weights."""
        rewards = self.features @ weights
        preference, by_reward = self.preference(rewards)
        loss = preference + self.options.decay / 2 * float(weights @ weights)
        if self.options.penalty != "none" and self.options.coefficient:
            penalty, by_penalty = self.penalty(rewards)
            loss += self.options.coefficient * penalty
            by_reward = by_reward + self.options.coefficient * by_penalty
        return loss, self.features.T @ by_reward + self.options.decay * weights

    def preference(self, rewards: FloatArray) -> tuple[float, FloatArray]:
        """Mean of softplus(-margin), and its gradient by the (2n,) rewards."""
        margins = rewards[: self.n_pairs] - rewards[self.n_pairs :]
        doubt = np.exp(-np.logaddexp(0.0, margins)) / self.n_pairs
        return float(np.logaddexp(0.0, -margins).mean()), np.concatenate([-doubt, doubt])

    def penalty(self, rewards: FloatArray) -> tuple[float, FloatArray]:
        """Sum of biased squared MMDs over unordered pairs of groups, and its gradient."""
        spread = float(rewards.std())
        if spread < 1e-12:
            return 0.0, np.zeros_like(rewards)
        standard = (rewards - rewards.mean()) / spread
        angles = standard[:, None] * self._frequencies
        cosines, sines = np.cos(angles) * self._roots, np.sin(angles) * self._roots
        of_cosines, by_cosine = self._distances(cosines)
        of_sines, by_sine = self._distances(sines)
        total = of_cosines + of_sines
        by_standard = (by_sine * cosines - by_cosine * sines) @ self._frequencies
        # Back through the standardisation, as through a batch normalisation.
        centred = by_standard - by_standard.mean() - standard * (by_standard * standard).mean()
        return max(total, 0.0), centred / spread

    def _distances(self, waves: FloatArray) -> tuple[float, FloatArray]:
        """Sum of squared distances of the groups' mean waves, and its gradient by the waves.

        In a family of B groups the sum over a < b of |m_a - m_b|^2 is B sum |m_a|^2 - |sum m_a|^2.
        """
        means = self._averages.T @ waves  # (groups, frequencies)
        total, by_mean = 0.0, np.zeros_like(means)
        for family in self._families:
            own, n_groups = means[family], int(family.sum())
            together = own.sum(axis=0)
            total += n_groups * float((own**2).sum()) - float((together**2).sum())
            by_mean[family] = 2 * (n_groups * own - together)
        return total, np.asarray(self._averages @ by_mean)


def train(
    pairs: PairFeatures,
    options: HeadOptions | None = None,
    *,
    start: LinearHead | None = None,
) -> LinearHead:
    """Trains a head by L-BFGS.

    The penalty is not convex: training starts from `start`, or from the plain head, which is the
    one solution of a convex problem. So the same input gives the same head.

    Args:
        pairs: the features.
        options: how it is trained.
        start: a head on the same features to start from.

    Raises:
        HeadError: no pair is usable, an option is out of range, or no two bins can be compared.
    """
    options = options or HeadOptions()
    _check(options)
    usable = pairs.usable()
    used = pairs.take(usable)
    if not len(used):
        raise HeadError("No pair has finite features on both sides.")
    raw = np.concatenate([used.chosen, used.rejected]).astype(np.float64)
    centre, scale = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(centre)), scale, 1.0)
    reduced, back = _reduce((raw - centre) / scale, options.n_components)
    groups, families = response_groups(used, options.penalty)
    if options.penalty != "none" and not len(families):
        raise HeadError(
            "No two bins with two responses each to compare.",
            fix="Choose fewer or other bins, or the penalty none.",
        )
    if start is None and options.penalty != "none":
        start = train(pairs, replace(options, penalty="none"))
    first = np.zeros(reduced.shape[1]) if start is None else back.T @ start.weights
    objective = Objective(reduced, groups, families, options)
    found = optimize.minimize(
        objective,
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": options.max_iterations, "ftol": 1e-9, "gtol": 1e-6},
    )
    rewards = reduced @ found.x
    left_out = {"a feature is not a finite number": int((~usable).sum())}
    return LinearHead(
        weights=back @ found.x,
        centre=centre,
        scale=scale,
        reward_spread=float(rewards.std()),
        loss=float(found.fun),
        preference_loss=objective.preference(rewards)[0],
        penalty=objective.penalty(rewards)[0] if len(families) else 0.0,
        converged=bool(found.success),
        n_iterations=int(found.nit),
        n_pairs=len(used),
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def response_groups(
    pairs: PairFeatures, penalty: Penalty
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which responses a penalty compares: chosen first, then rejected.

    Groups with fewer than two members, and sides with one group, are not compared.

    Returns:
        The group of each response, (2n,), -1 for none; and the family of each group, (groups,):
        one for all where unconditional, one a side where conditional.
    """
    n = len(pairs)
    bins = np.concatenate([pairs.chosen_bins, pairs.rejected_bins])
    sides = np.repeat([0, 1], n) if penalty == "conditional" else np.zeros(2 * n, dtype=np.int64)
    groups = np.full(2 * n, -1, dtype=np.int64)
    families: list[int] = []
    for side in np.unique(sides):
        inside = sides == side
        names, sizes = np.unique(bins[inside & (bins >= 0)], return_counts=True)
        large = names[sizes >= _FEWEST_MEMBERS]
        if penalty == "none" or len(large) < 2:
            continue
        for name in large:
            groups[inside & (bins == name)] = len(families)
            families.append(int(side))
    return groups, np.array(families, dtype=np.int64)


def _reduce(features: FloatArray, n_components: int | None) -> tuple[FloatArray, FloatArray]:
    """The features in a basis of the space they span, (n, k), and that basis, (d, k).

    With decay the best weights lie in the span of the features, so with more features than
    responses nothing is lost, and the optimiser has fewer numbers to find. The basis goes by
    falling variance, so that its first vectors are the principal components.
    """
    n, d = features.shape
    if d <= n and (n_components is None or n_components >= d):
        return features, np.eye(d)
    _, _, basis = np.linalg.svd(features, full_matrices=False)
    kept = basis[:n_components].T
    return np.asarray(features @ kept), np.asarray(kept)


def _check(options: HeadOptions) -> None:
    if options.n_components is not None and options.n_components < 1:
        raise HeadError(f"{options.n_components} principal components.", fix="Keep at least one.")
    if options.coefficient < 0 or options.decay <= 0 or options.bandwidth <= 0:
        raise HeadError(
            f"Out of range: coefficient {options.coefficient}, decay {options.decay}, bandwidth "
            f"{options.bandwidth}.",
            fix="The coefficient is at least 0, decay and bandwidth are above 0.",
        )


def bin_numbers(labels: Sequence[object]) -> npt.NDArray[np.int64]:
    """Numbers of bins for labels of any kind; -1 for None."""
    codes = cluster_codes([label for label in labels if label is not None])
    numbers = np.full(len(labels), -1, dtype=np.int64)
    numbers[[label is not None for label in labels]] = codes
    return numbers
