"""Figures of the comparison: models against each other, each in its own ruler, with intervals."""

from core.figures.compare.pairs import (
    agreement_heatmap,
    changed_minds_bars,
    changed_minds_lines,
    head_to_head_scatter,
    paired_differences,
)
from core.figures.compare.ranges import (
    accuracy_ranges,
    ensemble_ranges,
    run_line,
    slice_difference_ranges,
    slice_ranges,
)
from core.figures.compare.uncertainty import disagreement_histogram, reliability_diagram

__all__ = [
    "accuracy_ranges",
    "agreement_heatmap",
    "changed_minds_bars",
    "changed_minds_lines",
    "disagreement_histogram",
    "ensemble_ranges",
    "head_to_head_scatter",
    "paired_differences",
    "reliability_diagram",
    "run_line",
    "slice_difference_ranges",
    "slice_ranges",
]
