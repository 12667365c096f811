"""The comparison's estimates and tests over the prompts of one set of rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.labs.compare.options import CompareOptions
from core.stats import (
    Estimate,
    FloatArray,
    TestResult,
    clustered_mean,
    clustered_share,
    clustered_standard_error,
    clustered_statistic,
    sign_flip_test,
    smallest_detectable_effect,
    wilson_interval,
)


@dataclass(frozen=True)
class OverPrompts:
    """Rows with their prompts, and how to estimate over them.

    Attributes:
        prompts: (n,) the prompt of each row.
        options: draws, confidence and seed.
        purpose: names this set of rows; with the name of a part it seeds that part's draws.
        left_out: rows that could not be used, by reason; every estimate carries them.
    """

    prompts: Sequence[str]
    options: CompareOptions
    purpose: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def share(self, credit: FloatArray, part: str) -> Estimate:
        """The mean of (n,) values from 0 to 1."""
        return clustered_share(
            credit,
            self.prompts,
            rng=self.rng(part),
            confidence=self.options.confidence,
            n_resamples=self.options.n_resamples,
            left_out=self.left_out,
        )

    def mean(self, values: FloatArray, part: str) -> Estimate:
        """The mean of (n,) numbers; not finite ones are left out and counted."""
        return clustered_mean(
            values,
            self.prompts,
            rng=self.rng(part),
            confidence=self.options.confidence,
            n_resamples=self.options.n_resamples,
            left_out=self.left_out,
        )

    def share_difference(self, differences: FloatArray, part: str) -> Estimate:
        """The mean of (n,) paired differences of credits, from -1 to 1.

        Where no pair differs, resampling would claim certainty; the chance that a prompt differs is
        then bounded by Wilson's interval for none of all prompts, and the difference by that.
        """
        found = self.mean(differences, part)
        if not len(differences) or differences.any():
            return found
        _, most = wilson_interval(0, found.n_prompts, confidence=self.options.confidence)
        method = "Wilson over prompts, as no pair differs"
        return replace(found, low=-most, high=most, method=method)

    def statistic(self, compute: Callable[[FloatArray], FloatArray], part: str) -> Estimate:
        """Any statistic: (k, n) weights of the rows to its (k,) values."""
        return clustered_statistic(
            compute,
            self.prompts,
            rng=self.rng(part),
            confidence=self.options.confidence,
            n_resamples=self.options.n_resamples,
            left_out=self.left_out,
            vectorized=True,
        )

    def sign_flip(self, differences: FloatArray, part: str) -> TestResult:
        """Whether the mean of (n,) paired differences is zero."""
        return sign_flip_test(
            differences,
            self.prompts,
            rng=self.rng(part),
            n_permutations=self.options.n_permutations,
        )

    def detectable(self, differences: FloatArray) -> float:
        """The smallest true mean that (n,) differences like these show in 4 of 5 tables.

        NaN where the differences do not vary over prompts: their error is not known to be zero.
        """
        error = clustered_standard_error(differences, self.prompts)
        if error == 0:
            return float("nan")
        return smallest_detectable_effect(error, confidence=self.options.confidence)

    def rng(self, part: str) -> np.random.Generator:
        """The generator of one part."""
        return self.options.rng(*self.purpose, part)
