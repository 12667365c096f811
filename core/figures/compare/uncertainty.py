"""How sure the models are: reliability of sigma(margin), and disagreement against error."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.compare.intervals import in_words
from core.figures.style import CHOSEN, LINE, NEUTRAL, REJECTED, SERIES, frame
from core.labs.compare.calibration import AS_GIVEN, CALIBRATED, ECE, Calibration
from core.labs.compare.ensembles import Ensembles
from core.labs.compare.tidy import records

_N_BINS = 20


def reliability_diagram(result: Calibration, model: str) -> go.Figure:
    """Share of right verdicts against stated confidence, with the pairs of each bin below.

    Points on the diagonal are right as often as they say; below it the model is too sure.
    """
    table = result.table[(result.table["model"] == model) & (result.table["measure"] == ECE)]
    errors = {row["variant"]: row for row in records(table)}
    figure = frame(model, "confidence", "share right", height=420, legend=True)
    dotted = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0.5, y0=0.5, x1=1, y1=1, line=dotted)
    for variant, colour in ((AS_GIVEN, LINE), (CALIBRATED, SERIES[1])):
        of_variant = (result.bins["model"] == model) & (result.bins["variant"] == variant)
        bins = result.bins[of_variant]
        if bins["n"].sum():
            name = f"{variant}: error {errors[variant]['value']:.3f}"
            _add_reliability(figure, bins, name, colour)
            _add_counts(figure, bins, colour)
    figure.update_layout(
        xaxis={"range": [0.48, 1.02], "anchor": "y2", "tickformat": ".0%"},
        yaxis={"domain": [0.3, 1.0], "range": [-0.02, 1.02], "tickformat": ".0%"},
        yaxis2={"domain": [0.0, 0.22], "title": "pairs", "anchor": "x"},
        barmode="group",
    )
    return figure


def _add_reliability(figure: go.Figure, bins: pd.DataFrame, name: str, colour: str) -> None:
    filled = bins[bins["n"] > 0]
    value, low, high = (
        filled[column].to_numpy(dtype=np.float64) for column in ("value", "low", "high")
    )
    figure.add_scatter(
        x=filled["confidence_mean"],
        y=value,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "thickness": 1.2,
        },
        customdata=[
            f"confidence {row['bin_low']:.2f} to {row['bin_high']:.2f}<br>{in_words(row)}"
            for row in records(filled)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _add_counts(figure: go.Figure, bins: pd.DataFrame, colour: str) -> None:
    figure.add_bar(
        x=(bins["bin_low"] + bins["bin_high"]) / 2,
        y=bins["n"],
        yaxis="y2",
        marker={"color": colour, "opacity": 0.3},
        hovertemplate="%{y} pairs<extra></extra>",
        showlegend=False,
    )


def disagreement_histogram(result: Ensembles) -> go.Figure:
    """Disagreement of the models on the pairs their mean gets right and on those it gets wrong."""
    found = result.disagreement_auc
    known = "" if np.isnan(found.value) else f": picks out errors with AUC {found.value:.2f}"
    if known and not np.isnan([found.low, found.high]).any():
        known += f" ({found.low:.2f} to {found.high:.2f}, n = {found.n:,})"
    figure = frame(
        f"disagreement{known}", "spread of the standardised margins", "share of pairs", legend=True
    )
    values = result.pairs["disagreement"].to_numpy(dtype=np.float64)
    top = float(values.max()) if len(values) else 1.0
    bins = {"start": 0.0, "end": top * 1.001 + 1e-9, "size": (top * 1.001 + 1e-9) / _N_BINS}
    for credit, name, colour in ((1.0, "mean right", CHOSEN), (0.0, "mean wrong", REJECTED)):
        part = values[result.pairs["mean_right"].to_numpy(dtype=np.float64) == credit]
        figure.add_histogram(
            x=part,
            xbins=bins,
            autobinx=False,
            histnorm="probability",
            name=f"{name} ({len(part):,})",
            marker={"color": colour, "opacity": 0.55},
        )
    # The title needs the whole width, so the legend goes below.
    below = {"y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left"}
    figure.update_layout(barmode="overlay", legend=below, yaxis_tickformat=".0%")
    return figure
