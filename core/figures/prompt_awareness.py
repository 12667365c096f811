"""Figures of the prompt awareness lab: one model's rewards, or measures that models share."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import (
    BAND,
    DIVERGING,
    LINE,
    NEUTRAL,
    SEQUENTIAL,
    SERIES,
    frame,
    literal,
)
from core.labs.prompt_awareness.ablations import AblationResult, ablation
from core.labs.prompt_awareness.decomposition import DecompositionResult
from core.labs.prompt_awareness.leaderboard import Leaderboard
from core.labs.prompt_awareness.matrix import MatrixResult
from core.labs.prompt_awareness.other_prompts import SwapKind
from core.labs.prompt_awareness.prompt_free import ESTIMATOR_MEANING, Estimator
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.variance import VarianceShares
from core.stats import Estimate, FloatArray

_WIDTH = 90
_SMALL = 220
_ROW = 28

MatrixShown = Literal["reward", "interaction"]


def heat_map(result: MatrixResult, *, title: str = "", show: MatrixShown = "reward") -> go.Figure:
    """Reward of every prompt (down) with every response (across); own cells are framed.

    Args:
        result: of one model.
        title: name of the model.
        show: "reward", or "interaction", which is without the row's and the column's mean.
    """
    prompts = list(result.rewards.index)
    responses = list(result.rewards.columns.get_level_values("response_id"))
    values, texts = _grid(result, show)
    figure = frame(
        # Below the cells stand the slanted names of the responses.
        title,
        "response",
        "prompt",
        height=min(1000, 200 + 20 * len(prompts)),
    )
    colours = (
        {"colorscale": DIVERGING, "zmid": 0}
        if show == "interaction"
        else {"colorscale": SEQUENTIAL}
    )
    figure.add_heatmap(
        z=values,
        customdata=texts,
        hovertemplate=f"%{{customdata}}<br>{show} %{{z:.3f}}<extra></extra>",
        colorbar={"title": show, "thickness": 12},
        hoverongaps=False,
        **colours,
    )
    own = result.cells.loc[result.cells["own"]]
    figure.add_scatter(
        x=[responses.index(response) for response in own["response_id"]],
        y=[prompts.index(prompt) for prompt in own["prompt_id"]],
        mode="markers",
        marker={"symbol": "square-open", "size": 11, "color": NEUTRAL},
        hoverinfo="skip",
    )
    names = literal([str(response) for response in responses], width=18)
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names)
    names = literal([str(prompt) for prompt in prompts], width=18)
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")
    return figure


def own_against_swapped(result: SwapResult, kind: SwapKind, *, title: str = "") -> go.Figure:
    """Each pair's mean gap under other prompts against its own gap, with the line of equality.

    Points on the line are pairs whose preference the prompt does not change.
    """
    rows = _usable(result, kind)
    own, swapped = rows["own_gap"], rows["swapped_mean"]
    figure = frame(title, "gap under the own prompt", f"mean gap, {_named(kind)}")
    ends = _span(own, swapped)
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": NEUTRAL, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=own,
        y=swapped,
        mode="markers",
        error_y={"array": rows["swapped_std"].fillna(0), "color": BAND, "thickness": 1},
        marker={"color": LINE, "size": 7},
        customdata=literal(list(rows["pair_id"])),
        hovertemplate="%{customdata}<br>own %{x:.3f}, swapped %{y:.3f}<extra></extra>",
    )
    _zero_lines(figure)
    return figure


def swapped_band(result: SwapResult, kind: SwapKind, *, title: str = "") -> go.Figure:
    """Pairs sorted by own gap, with mean and standard deviation of their swapped gaps as a band.

    After arXiv 2504.06020, figure 1 (left): a band centred on the line shows a preference that
    needs no prompt.
    """
    rows = _usable(result, kind).sort_values("own_gap", kind="stable")
    place = list(range(1, len(rows) + 1))
    mean, spread = rows["swapped_mean"], rows["swapped_std"].fillna(0)
    figure = frame(title, "pairs, sorted by own gap", "gap", legend=True)
    edge = {"width": 0}
    figure.add_scatter(x=place, y=mean - spread, mode="lines", line=edge, showlegend=False)
    figure.add_scatter(
        x=place, y=mean + spread, mode="lines", line=edge, fill="tonexty", fillcolor=BAND,
        name="± one standard deviation",
    )  # fmt: skip
    figure.add_scatter(x=place, y=mean, mode="lines", line={"color": SERIES[1]}, name=_named(kind))
    figure.add_scatter(
        x=place,
        y=rows["own_gap"],
        mode="lines",
        line={"color": LINE, "width": 2},
        name="own prompt",
        customdata=literal(list(rows["pair_id"])),
        hovertemplate="%{customdata}<br>own gap %{y:.3f}<extra></extra>",
    )
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    return figure


def gap_parts(
    result: DecompositionResult, estimator: Estimator = "zero-information", *, title: str = ""
) -> go.Figure:
    """Each pair's gap as a stack of its prompt-free and prompt-related part, by one estimator."""
    rows = result.pairs.loc[result.pairs["estimator"] == estimator]
    rows = rows.sort_values("own_gap", kind="stable")
    place = list(range(1, len(rows) + 1))
    figure = frame(title, "pairs, sorted by own gap", "gap", legend=True)
    flags = ["undetermined: saturated" if flag else "" for flag in rows["saturated"]]
    for name, column, colour in (
        ("prompt-free", "prompt_free", SERIES[1]),
        ("prompt-related", "prompt_related", LINE),
    ):
        figure.add_bar(
            x=place,
            y=rows[column],
            name=name,
            marker={"color": colour, "pattern": {"shape": ["/" if flag else "" for flag in flags]}},
            customdata=np.column_stack([literal(list(rows["pair_id"])), flags]),
            hovertemplate=f"%{{customdata[0]}}<br>{name} %{{y:.3f}} %{{customdata[1]}}"
            "<extra></extra>",
        )
    figure.add_scatter(
        x=place, y=rows["own_gap"], mode="markers", name="own gap",
        marker={"symbol": "line-ew-open", "size": 9, "color": NEUTRAL},
    )  # fmt: skip
    figure.update_layout(barmode="relative", meta={"reading": ESTIMATOR_MEANING[estimator]})
    return figure


def variance_bars(models: Mapping[str, VarianceShares], *, title: str = "") -> go.Figure:
    """Shares of reward variance by model; the interaction, the prompt-related part, comes first.

    Its interval is drawn at its end. All models must have read the same matrix.
    """
    names = literal(list(models))  # not cut: equal names would share a bar
    figure = frame(title, "share of variance", "", height=_height(len(models)), legend=True)
    for part, colour in zip(("interaction", "response", "prompt"), SERIES, strict=False):
        estimates: list[Estimate] = [getattr(shares, part).estimate for shares in models.values()]
        figure.add_bar(
            y=names,
            x=[estimate.value for estimate in estimates],
            orientation="h",
            name="interaction (prompt-related)" if part == "interaction" else part,
            marker={"color": colour},
            error_x=_error_bars(estimates) if part == "interaction" else None,
            customdata=_intervals(estimates),
            hovertemplate=f"{part} %{{x:.1%}} %{{customdata}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(autorange="reversed")
    return figure


def retention_leaderboard(board: Leaderboard, *, title: str = "") -> go.Figure:
    """Retention of each model with its interval, the most prompt-aware on top.

    At 1 the whole gap is left under other prompts, at 0 nothing of it.
    """
    rows = board.table.loc[board.table["measure"] == "retention"]
    verdicts = board.verdicts.set_index("model").reindex(rows["model"])
    figure = frame(title, f"retention, {_named(board.kind)}", "", height=_height(len(rows)))
    for at in (0.0, 1.0):
        figure.add_vline(x=at, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    shown = [f"{w}. {r}" for w, r in zip(verdicts["verdict"], verdicts["reason"], strict=True)]
    figure.add_scatter(
        x=rows["value"],
        y=literal(list(rows["model"])),
        mode="markers",
        marker={"color": LINE, "size": 9},
        error_x=_error_bars_of(rows),
        customdata=literal(shown),
        hovertemplate="retention %{x:.2f}<br>%{customdata}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def ablation_bars(
    models: Mapping[str, AblationResult], *, side: str = "chosen", title: str = ""
) -> go.Figure:
    """Mean reward change of each ablation with its interval.

    In standard deviations of each model's own unedited rewards, so that models share the axis.
    """
    figure = frame(title, "change in standard deviations of the reward", "", legend=True)
    n_rows = 0
    for position, (model, result) in enumerate(models.items()):
        effects = {name: e for (name, of), e in result.effects.items() if of == side}
        estimates = [effect.in_spreads.estimate for effect in effects.values()]
        n_rows = max(n_rows, len(effects))
        figure.add_bar(
            y=literal([ablation(name).title for name in effects]),
            x=[estimate.value for estimate in estimates],
            orientation="h",
            name=literal([model], width=40)[0],
            marker={"color": SERIES[position % len(SERIES)]},
            error_x=_error_bars(estimates),
            customdata=_intervals(estimates),
            hovertemplate="%{y}: %{x:.2f} %{customdata}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    figure.update_layout(barmode="group", height=_height(n_rows * max(1, len(models))))
    figure.update_yaxes(autorange="reversed")
    return figure


def _grid(result: MatrixResult, show: MatrixShown) -> tuple[FloatArray, npt.NDArray[np.object_]]:
    """(P, Q) the values shown, NaN where a cell is missing, and what hovering says."""
    cells = result.cells
    prompts = list(result.rewards.index)
    responses = list(result.rewards.columns.get_level_values("response_id"))
    row = {prompt: at for at, prompt in enumerate(prompts)}
    column = {response: at for at, response in enumerate(responses)}
    at = (cells["prompt_id"].map(row).to_numpy(int), cells["response_id"].map(column).to_numpy(int))
    values = np.full((len(prompts), len(responses)), np.nan)
    values[at] = cells[show].to_numpy(dtype=np.float64)
    texts = np.full(values.shape, "", dtype=object)
    texts[at] = [
        f"{prompt}<br>→ {response}"
        for prompt, response in zip(
            literal(list(cells["prompt_text"]), width=_WIDTH),
            literal(list(cells["response_text"]), width=_WIDTH),
            strict=True,
        )
    ]
    return values, texts


def _usable(result: SwapResult, kind: SwapKind) -> pd.DataFrame:
    rows = result.pairs.loc[result.pairs["kind"] == kind]
    return rows.loc[rows["own_gap"].notna() & rows["swapped_mean"].notna()]


def _span(*columns: "pd.Series[float]") -> list[float]:
    values = np.concatenate([column.to_numpy(dtype=np.float64) for column in columns])
    return [float(values.min()), float(values.max())] if len(values) else [0.0, 1.0]


def _named(kind: str) -> str:
    return literal([f"{kind} prompts"])[0]


def _zero_lines(figure: go.Figure) -> None:
    figure.add_hline(y=0, line={"color": BAND, "width": 1})
    figure.add_vline(x=0, line={"color": BAND, "width": 1})


def _height(n_rows: int) -> int:
    return max(_SMALL, min(1200, 110 + _ROW * n_rows))


def _error_bars(estimates: list[Estimate]) -> dict[str, object]:
    table = pd.DataFrame(
        [(estimate.value, estimate.low, estimate.high) for estimate in estimates],
        columns=["value", "low", "high"],
    )
    return _error_bars_of(table)


def _error_bars_of(rows: pd.DataFrame) -> dict[str, object]:
    """Arms of unequal length; none where there is no interval."""
    return {
        "array": (rows["high"] - rows["value"]).fillna(0).tolist(),
        "arrayminus": (rows["value"] - rows["low"]).fillna(0).tolist(),
        "symmetric": False,
        "color": NEUTRAL,
    }


def _intervals(estimates: list[Estimate]) -> list[str]:
    return [
        f"({e.confidence:.0%}: {e.low:.3f} to {e.high:.3f}, {e.n_prompts} prompts)"
        if np.isfinite(e.low)
        else "(no interval)"
        for e in estimates
    ]
