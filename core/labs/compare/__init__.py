"""Two to eight models or checkpoints over one table of preference pairs."""

from core.labs.compare.agreement import Agreement, measure_agreement
from core.labs.compare.calibration import Calibration, measure_calibration
from core.labs.compare.checkpoints import RunView, index_estimates, run_view
from core.labs.compare.comparison import Comparison, overview, run
from core.labs.compare.ensembles import Ensembles, combine, compare_ensembles
from core.labs.compare.flips import ChangedMinds, changed_minds
from core.labs.compare.head_to_head import HeadToHead, compare_head_to_head
from core.labs.compare.options import CompareError, CompareOptions
from core.labs.compare.paired import PairedComparison, compare_paired, outcomes_table
from core.labs.compare.probabilities import (
    brier_scores,
    expected_calibration_error,
    fit_temperature,
    rlcr_rewards,
)
from core.labs.compare.scores import PairScores, read_scores, stack_models
from core.labs.compare.slices import Slices, slice_scores, sliceable

__all__ = [
    "Agreement",
    "Calibration",
    "ChangedMinds",
    "CompareError",
    "CompareOptions",
    "Comparison",
    "Ensembles",
    "HeadToHead",
    "PairScores",
    "PairedComparison",
    "RunView",
    "Slices",
    "brier_scores",
    "changed_minds",
    "combine",
    "compare_ensembles",
    "compare_head_to_head",
    "compare_paired",
    "expected_calibration_error",
    "fit_temperature",
    "index_estimates",
    "measure_agreement",
    "measure_calibration",
    "outcomes_table",
    "overview",
    "read_scores",
    "rlcr_rewards",
    "run",
    "run_view",
    "slice_scores",
    "sliceable",
    "stack_models",
]
