"""What the parts of the Compare page draw from: the scored pairs, and results made when asked."""

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import pandas as pd
import streamlit as st

from app_pages.common.background import look_again, tasks
from app_pages.common.lab_run import is_there
from app_pages.common.service import conformance
from core.labs.compare import CompareOptions, PairScores, read_scores
from core.labs.compare.pair_table import stack_pairs
from core.schema import Message, with_response

Tables = Mapping[str, pd.DataFrame]
R = TypeVar("R")


@dataclass(frozen=True)
class Compared:
    """Several models' rewards of the same pairs.

    Attributes:
        key: changes whenever a reward or pair does.
        table: the long table, one row a model and pair.
        scores: the same as it was read; row i is pair i of `pairs`.
        pairs: the pairs with their texts.
        baseline: the model that the others are held against.
        seed: of everything drawn.
    """

    key: str
    table: pd.DataFrame
    scores: PairScores
    pairs: pd.DataFrame
    baseline: str = ""
    seed: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order they were chosen."""
        return self.scores.models

    @property
    def candidates(self) -> list[str]:
        """The models but for the baseline."""
        return [model for model in self.models if model != self.baseline]

    @property
    def options(self) -> CompareOptions:
        """Options of the parts that know no noise."""
        return CompareOptions(baseline=self.baseline or None, seed=self.seed)

    def against(self, baseline: str) -> "Compared":
        """The same rewards, held against another model."""
        return replace(self, baseline=baseline)

    def conversation(self, row: int, side: str) -> list[Message]:
        """One side ("chosen" or "rejected") of a pair as a conversation."""
        pair = self.pairs.iloc[row]
        return with_response(pair["prompt"], str(pair[side]))

    def part(self, name: str, compute: Callable[[], R], *choices: Hashable) -> R | None:
        """A result, made in the background; None (drawn as waiting or failed) until it is there.

        Args:
            name: of the part.
            compute: makes it.
            choices: whatever else it depends on.
        """
        key = ("compare", name, self.key, self.baseline, self.seed, *choices)
        outcome = tasks().outcome(key, compute)
        if not is_there(outcome, "Computing …"):
            return None
        value: R = outcome.value
        return value


def compared(pairs: pd.DataFrame, scored: Mapping[str, pd.DataFrame]) -> Compared:
    """The comparison's ground from each model's scored plan; runs in the background."""
    table = stack_pairs(pairs, scored)
    scores = read_scores(table)
    told = hashlib.sha256("\n".join(scores.models).encode("utf-8", "surrogatepass"))
    for frame in (scores.pairs.astype(str), scores.chosen, scores.rejected, scores.reasons):
        told.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return Compared(told.hexdigest()[:16], table, scores, pairs.reset_index(drop=True))


def with_noise(ground: Compared) -> CompareOptions:
    """The options with the noise floors that are known by now; looks again while some are not."""
    if any(conformance(model).state == "running" for model in ground.models):
        st.caption(
            ":material/hourglass_empty: Measuring the noise floors; what follows will know them.",
        )
        look_again()
    return known_noise(ground)


def known_noise(ground: Compared) -> CompareOptions:
    """The options with the noise floors that are known by now."""
    checks = {model: conformance(model) for model in ground.models}
    floors = {
        model: float(check.value.noise_floor)
        for model, check in checks.items()
        if check.state == "done" and math.isfinite(check.value.noise_floor)
    }
    return replace(ground.options, noise_floors=floors)


def noise_key(options: CompareOptions) -> tuple[tuple[str, float], ...]:
    """What of the noise floors a result depends on."""
    return tuple(options.noise_floors.items())
