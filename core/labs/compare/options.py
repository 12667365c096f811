"""What a comparison can be told, and the mistake of telling it wrong."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from core.errors import WorkbenchError


class CompareError(WorkbenchError):
    """A comparison that cannot be made: too few or many models, an unknown name, a bad option."""


@dataclass(frozen=True)
class CompareOptions:
    """Options of the comparison.

    Attributes:
        baseline: the model the others are held against; by default the table's first.
        noise_floors: for each model, in its own unit, the largest change of a reward from batching
            alone (from its conformance check). A margin within it has no sign to speak of.
        confidence: coverage of the intervals, between 0 and 1.
        n_resamples: bootstrap draws of each interval.
        n_permutations: sign patterns at most of each sign-flip test.
        seed: of everything drawn. Each part draws on its own, so that a number does not depend on
            what else was computed.
        n_bins: bins of the reliability diagram, equally wide over confidences from 0.5 to 1.
        n_folds: parts of the prompts for the temperature, which is fitted on all parts but the one
            it is applied to.
        min_prompts: a slice with fewer prompts is listed but never called best or worst.
        penalty: lambda of the ensemble mean - lambda * variance.
    """

    baseline: str | None = None
    noise_floors: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95
    n_resamples: int = 2_000
    n_permutations: int = 10_000
    seed: int = 0
    n_bins: int = 10
    n_folds: int = 5
    min_prompts: int = 10
    penalty: float = 0.5

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            CompareError: names the option that is out of range.
        """
        if not 0 < self.confidence < 1:
            raise CompareError(f"Confidence {self.confidence} is not between 0 and 1.")
        for name in ("n_resamples", "n_permutations", "n_bins", "min_prompts"):
            if getattr(self, name) < 1:
                raise CompareError(
                    f"Option {name} is {getattr(self, name)}.", fix="Give 1 or more."
                )
        if self.n_folds < 2:
            raise CompareError(f"Option n_folds is {self.n_folds}.", fix="Give 2 or more.")
        if any(floor < 0 for floor in self.noise_floors.values()):
            raise CompareError("A noise floor is negative.", fix="Give 0 where there is none.")

    def rng(self, *purpose: str) -> np.random.Generator:
        """The generator of one part, the same whatever else is computed."""
        return np.random.default_rng([self.seed, zlib.crc32("\n".join(purpose).encode())])
