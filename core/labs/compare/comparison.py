"""The whole comparison of a table: everything the page shows before a column or step is chosen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labs.compare.agreement import Agreement, measure_agreement
from core.labs.compare.calibration import Calibration, measure_calibration
from core.labs.compare.ensembles import Ensembles, compare_ensembles
from core.labs.compare.flips import ChangedMinds, changed_minds
from core.labs.compare.options import CompareOptions
from core.labs.compare.over_prompts import OverPrompts
from core.labs.compare.paired import PairedComparison, compare_paired
from core.labs.compare.scores import PairScores, read_scores
from core.labs.compare.tidy import estimate_columns


@dataclass(frozen=True)
class Comparison:
    """Results of `run`.

    Attributes:
        scores: the table as it was read; slices, scatters and the run view start from it.
        options: what the comparison was told.
        baseline: the model the others are held against.
        overview: one row a model: accuracy with the estimate's columns, `n_wins`, `n_ties`,
            `n_losses`, `standard_margin` (mean margin in units of its root mean square).
        agreement: of each two models.
        changed: who changed their mind, for each candidate.
        paired: tests of each candidate.
        calibration: of each model.
        ensembles: all models as one.
    """

    scores: PairScores
    options: CompareOptions
    baseline: str
    overview: pd.DataFrame
    agreement: Agreement
    changed: tuple[ChangedMinds, ...]
    paired: tuple[PairedComparison, ...]
    calibration: Calibration
    ensembles: Ensembles


def run(table: pd.DataFrame, options: CompareOptions | None = None) -> Comparison:
    """Compares the models of a long table of pair scores.

    Args:
        table: as `read_scores` takes it.
        options: baseline, noise floors, draws.

    Raises:
        TableError: the table lacks a column or holds no numbers.
        CompareError: too few or many models, or an unknown baseline.
    """
    chosen = options or CompareOptions()
    scores = read_scores(table)
    baseline = scores.baseline(chosen.baseline)
    scores.check_models(list(chosen.noise_floors))
    candidates = [model for model in scores.models if model != baseline]
    return Comparison(
        scores,
        chosen,
        baseline,
        overview(scores, chosen),
        measure_agreement(scores, chosen),
        tuple(changed_minds(scores, baseline, model, chosen) for model in candidates),
        tuple(compare_paired(scores, baseline, model, chosen) for model in candidates),
        measure_calibration(scores, chosen),
        compare_ensembles(scores, chosen),
    )


def overview(scores: PairScores, options: CompareOptions | None = None) -> pd.DataFrame:
    """One row a model: accuracy, ties and mean standardised margin, on all pairs it has scored."""
    chosen = options or CompareOptions()
    rows = []
    for model in scores.models:
        usable = scores.usable([model])
        over = OverPrompts(
            scores.prompts(usable), chosen, ("overview", model), scores.left_out([model])
        )
        margins = scores.values(scores.margins, model, usable)
        standard = over.mean(scores.values(scores.standard_margins, model, usable), "margin")
        rows.append(
            {"model": model}
            | estimate_columns(over.share(scores.credits(model)[usable], "accuracy"))
            | {
                "n_wins": int(np.sum(margins > 0)),
                "n_ties": int(np.sum(margins == 0)),
                "n_losses": int(np.sum(margins < 0)),
                "standard_margin": standard.value,
                "standard_margin_low": standard.low,
                "standard_margin_high": standard.high,
            }
        )
    return pd.DataFrame(rows)
