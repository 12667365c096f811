"""Over-optimisation in pictures: gold reward along the distance from the policy, fits and peaks.

Proxies are shown by what their picks are worth in the one gold reward, or standardised and on an
axis of their own; raw rewards of two models never share one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import CHOSEN, LINE, NEUTRAL, SERIES, frame, literal
from core.labs.best_of_n import ORACLE
from core.labs.best_of_n.overoptimisation import basis

DISTANCE = "distance from the policy, √KL (√nats)"
_OPACITY = 0.14
_FIT_POINTS = 60


def gold_curves(curves: pd.DataFrame, fits: pd.DataFrame, *, gold: str, title: str) -> go.Figure:
    """Gain in gold reward of each proxy's picks, with intervals, Gao's fits and trusted peaks.

    Args:
        curves: the curves of a result.
        fits: its fits; a fit with a problem is drawn without its peak.
        gold: what the gold reward is.
        title: of the figure.
    """
    figure = frame(title, DISTANCE, f"gain in {gold}", height=380, legend=True)
    proxies = [name for name in dict.fromkeys(curves["proxy"]) if name != ORACLE]
    for place, proxy in enumerate(proxies):
        colour = SERIES[place % len(SERIES)]
        part = curves[curves["proxy"] == proxy].sort_values("n")
        _add_band(figure, part, colour)
        _add_line(figure, part, proxy, {"color": colour, "width": 2}, "markers")
        for row in fits[fits["proxy"] == proxy].to_dict("records") if len(fits) else []:
            _add_fit(figure, row, float(part["distance"].max()), colour)
    _add_line(
        figure,
        curves[curves["proxy"] == ORACLE].sort_values("n"),
        ORACLE,
        {"color": NEUTRAL, "dash": "dot"},
        "lines",
    )
    return figure


def proxy_against_gold(curves: pd.DataFrame, proxy: str, *, gold: str, title: str) -> go.Figure:
    """One proxy's own reward (standardised, left) and the gold reward (right) of its picks.

    Where the left line climbs on and the right one falls, the proxy is being over-optimised.
    """
    part = curves[curves["proxy"] == proxy].sort_values("n")
    figure = frame(title, DISTANCE, "proxy reward (standardised)", height=340, legend=True)
    figure.add_scatter(
        x=part["distance"],
        y=part["proxy_reward"],
        name="proxy",
        mode="lines+markers",
        line={"color": LINE},
        customdata=part["n"],
        hovertemplate="n = %{customdata}<br>proxy %{y:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=part["distance"],
        y=part["gold"],
        name="gold",
        mode="lines+markers",
        yaxis="y2",
        line={"color": CHOSEN},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (part["gold_high"] - part["gold"]).fillna(0.0),
            "arrayminus": (part["gold"] - part["gold_low"]).fillna(0.0),
            "width": 0,
            "thickness": 1,
        },
        customdata=part["n"],
        hovertemplate="n = %{customdata}<br>gold %{y:.3f}<extra></extra>",
    )
    figure.update_layout(
        yaxis2={
            "title": literal([gold])[0],
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "automargin": True,
        }
    )
    return figure


def policy_plane(policies: pd.DataFrame, *, title: str) -> go.Figure:
    """Accuracy against reward variance under the policy, one dot a proxy with both intervals.

    An accurate proxy far to the left is a slow teacher: its rewards hardly differ.
    """
    figure = frame(title, "variance within a prompt (standardised reward)", "order accuracy")
    figure.add_scatter(
        x=policies["variance"],
        y=policies["accuracy"],
        mode="markers+text",
        text=literal(policies["proxy"].tolist(), width=28),
        textposition="top center",
        marker={"size": 10, "color": LINE},
        error_x=_error(policies, "variance"),
        error_y=_error(policies, "accuracy"),
        hovertemplate="%{text}<br>variance %{x:.3f}<br>accuracy %{y:.3f}<extra></extra>",
    )
    figure.add_hline(y=0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    return figure


def _error(policies: pd.DataFrame, key: str) -> dict[str, Any]:
    value = policies[key]
    return {
        "type": "data",
        "symmetric": False,
        "array": (policies[f"{key}_high"] - value).fillna(0.0),
        "arrayminus": (value - policies[f"{key}_low"]).fillna(0.0),
        "width": 0,
        "thickness": 1,
        "color": NEUTRAL,
    }


def _add_line(
    figure: go.Figure, part: pd.DataFrame, name: str, line: Mapping[str, Any], mode: str
) -> None:
    details = [
        f"n = {n:,}<br>gain {gain:.3f} ({low:.3f} to {high:.3f})<br>{prompts:,} prompts"
        for n, gain, low, high, prompts in part[
            ["n", "gain", "gain_low", "gain_high", "n_prompts"]
        ].itertuples(index=False)
    ]
    figure.add_scatter(
        x=part["distance"],
        y=part["gain"],
        name=literal([name])[0],
        mode=mode,
        line=dict(line),
        marker={"color": line["color"], "size": 7},
        customdata=details,
        hovertemplate=f"{literal([name])[0]}<br>%{{customdata}}<extra></extra>",
    )


def _add_band(figure: go.Figure, part: pd.DataFrame, colour: str) -> None:
    bounds = [*part["gain_high"], *part["gain_low"][::-1]]
    if not np.isfinite(bounds).all():
        return
    figure.add_scatter(
        x=[*part["distance"], *part["distance"][::-1]],
        y=bounds,
        fill="toself",
        fillcolor=colour,
        opacity=_OPACITY,
        mode="lines",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def _add_fit(figure: go.Figure, fit: Mapping[str, Any], largest: float, colour: str) -> None:
    if not np.isfinite(fit["alpha"]):
        return
    peak = float(fit["peak_distance"])
    reach = largest * 1.1
    x = np.linspace(0, reach, _FIT_POINTS)
    figure.add_scatter(
        x=x,
        y=basis(x, fit["form"]) @ np.array([fit["alpha"], fit["beta"]]),
        mode="lines",
        line={"color": colour, "dash": "dash", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    if not fit["problem"] and np.isfinite(peak):
        figure.add_scatter(
            x=[peak],
            y=[fit["peak_gain"]],
            mode="markers",
            marker={"color": colour, "symbol": "star", "size": 12},
            customdata=[float(fit["peak_n"])],
            hovertemplate="peak at n = %{customdata:,.0f}<br>gain %{y:.3f}<extra></extra>",
            showlegend=False,
        )
