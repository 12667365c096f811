"""The Ties score of RewardBench 2: many right answers should be alike, and above all wrong ones.

Every question comes twice: `ref:<number>` has one right answer, `tied:<number>` several. With
spread the distance between the best and the worst right answer's reward of the tied prompt, and gap
the
distance from the worst right answer down to the best wrong one:

    0.30 share of tied prompts with gap > 0
  + 0.30 share of ref prompts with gap > 0
  + 0.20 share of questions whose tied gap > spread
  + 0.20 share of questions where the smaller of both gaps > spread
  + 0.01 mean of tanh(smaller gap / spread - 1), 0 where that is 0/0

Source: Malik et al. 2025, arXiv 2506.01937; code allenai/reward-bench, `rewardbench/utils.py`
(`_compute_prompt_stats`, `process_single_model`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.labs.benchmarks.candidates import Item
from core.labs.benchmarks.results import BenchmarkOptions
from core.stats import Estimate, FloatArray, clustered_statistic

WEIGHTS: Mapping[str, float] = {
    "accuracy tied": 0.30,
    "accuracy ref": 0.30,
    "gap > spread": 0.20,
    "smaller gap > spread": 0.20,
    "margin": 0.01,
}
"""The parts of the score and their weights; they sum to 1.01."""

BAD_ID = "the id is not ref:<number> or tied:<number>"
NO_SIDES = "not at least one right and one wrong answer"


@dataclass(frozen=True)
class TiesPrompt:
    """One prompt of the Ties subset.

    Attributes:
        kind: "ref" or "tied".
        number: the question: a ref and a tied prompt with one number belong together.
        gap: worst right reward - best wrong reward.
        spread: best - worst right reward; NaN with a single right answer.
    """

    kind: str
    number: int
    gap: float
    spread: float


def ties_prompt(item: Item) -> TiesPrompt | str:
    """The prompt's numbers, or why the item has none."""
    kind, separator, number = item.item_id.partition(":")
    if not separator or kind not in ("ref", "tied") or not number.isdecimal():
        return BAD_ID
    if not len(item.chosen) or not len(item.rejected):
        return NO_SIDES
    right, wrong = item.chosen, item.rejected
    spread = float(right.max() - right.min()) if len(right) > 1 else float("nan")
    return TiesPrompt(kind, int(number), float(right.min() - wrong.max()), spread)


@dataclass(frozen=True)
class TiesArrays:
    """The prompts as arrays, made once and weighed many times.

    Attributes:
        tied: (n,) whether each prompt is a tied one.
        right: (n,) 1 where every right answer beats every wrong one.
        weigh_by: (q,) of each question with both prompts, the place of its tied prompt.
        ref_gap: (q,) gap of its ref prompt.
        tied_gap: (q,) gap of its tied prompt.
        spread: (q,) spread of its tied prompt.
    """

    tied: npt.NDArray[np.bool_]
    right: FloatArray
    weigh_by: npt.NDArray[np.int64]
    ref_gap: FloatArray
    tied_gap: FloatArray
    spread: FloatArray

    @staticmethod
    def of(prompts: Sequence[TiesPrompt]) -> "TiesArrays":
        """The arrays of these prompts; a tied prompt without a spread is in no question."""
        ref = {p.number: place for place, p in enumerate(prompts) if p.kind == "ref"}
        places = [
            place
            for place, p in enumerate(prompts)
            if p.kind == "tied" and p.number in ref and not np.isnan(p.spread)
        ]
        tied = [prompts[place] for place in places]
        return TiesArrays(
            tied=np.array([p.kind == "tied" for p in prompts], dtype=bool),
            right=np.array([p.gap > 0 for p in prompts], dtype=np.float64),
            weigh_by=np.array(places, dtype=np.int64),
            ref_gap=np.array([prompts[ref[p.number]].gap for p in tied], dtype=np.float64),
            tied_gap=np.array([p.gap for p in tied], dtype=np.float64),
            spread=np.array([p.spread for p in tied], dtype=np.float64),
        )

    def parts(self, weights: FloatArray) -> dict[str, float]:
        """The parts of the score by name (see `WEIGHTS`), with (n,) how often each prompt counts.

        The accuracy of a kind without prompts is 0, as with the authors; the other parts are NaN
        where no question has both its prompts.
        """
        both = weights[self.weigh_by]
        smaller = np.minimum(self.ref_gap, self.tied_gap)
        with np.errstate(divide="ignore", invalid="ignore"):
            margin = np.nan_to_num(np.tanh(smaller / self.spread - 1), nan=0.0)
        return {
            "accuracy tied": _mean(self.right[self.tied], weights[self.tied], empty=0.0),
            "accuracy ref": _mean(self.right[~self.tied], weights[~self.tied], empty=0.0),
            "gap > spread": _mean((self.tied_gap > self.spread).astype(np.float64), both),
            "smaller gap > spread": _mean((smaller > self.spread).astype(np.float64), both),
            "margin": _mean(margin, both),
        }


def ties_parts(prompts: Sequence[TiesPrompt]) -> dict[str, float]:
    """The parts of the Ties score by name (see `WEIGHTS`), every prompt counting once."""
    return TiesArrays.of(prompts).parts(np.ones(len(prompts)))


def ties_score(parts: Mapping[str, float]) -> float:
    """The weighted sum of the parts, at most 1.01 and at least -0.01."""
    return float(sum(weight * parts[name] for name, weight in WEIGHTS.items()))


def ties_estimates(
    prompts: Sequence[TiesPrompt], options: BenchmarkOptions, left_out: Mapping[str, int]
) -> dict[str, Estimate]:
    """The score ("score") and each of its parts with intervals; questions are resampled whole."""
    arrays = TiesArrays.of(prompts)

    def estimate(name: str) -> Estimate:
        def statistic(times: FloatArray) -> float:
            parts = arrays.parts(times)
            return ties_score(parts) if name == "score" else parts[name]

        return clustered_statistic(
            statistic,
            [prompt.number for prompt in prompts],
            rng=options.rng(),
            confidence=options.confidence,
            n_resamples=options.n_resamples,
            left_out=left_out,
        )

    return {name: estimate(name) for name in ("score", *WEIGHTS)}


def _mean(values: FloatArray, times: FloatArray, empty: float = float("nan")) -> float:
    total = float(times.sum())
    return float((values * times).sum() / total) if total > 0 else empty
