"""Bonuses of a recorded group: what each sample is paid, and how a payment fades."""

import pandas as pd
import plotly.graph_objects as go

from core.figures.style import CHOSEN, LINE, NEUTRAL, REJECTED, frame, literal
from core.labs.collapse.explorer import Exploration

NOT_READ = "(could not be read)"


def advantage_slopes(found: Exploration, *, title: str = "") -> go.Figure:
    """Each sample's advantage without (ring) and with the bonus (dot), the highest on top."""
    rows = found.table.sort_values(["advantage_with_bonus", "sample"], kind="stable")
    names = [
        f"{sample}: {answer if isinstance(answer, str) else NOT_READ}"
        for sample, answer in zip(rows["sample"], rows["answer"], strict=True)
    ]
    shown = literal(names, width=28)
    places = list(range(len(rows)))
    height = 120 + 30 * max(3, len(rows))
    figure = frame(title, "advantage", "sample and its answer", height=height, legend=True)
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    for place, row in zip(places, rows.itertuples(index=False), strict=True):
        figure.add_scatter(
            x=[row.advantage, row.advantage_with_bonus],
            y=[place, place],
            mode="lines",
            line={"color": NEUTRAL, "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
    colour = [CHOSEN if right else REJECTED for right in rows["correct"].fillna(False)]
    for name, column, symbol in (
        ("without the bonus", "advantage", "circle-open"),
        ("with the bonus", "advantage_with_bonus", "circle"),
    ):
        figure.add_scatter(
            x=rows[column],
            y=places,
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 11, "color": colour},
            customdata=rows[["bonus", "seen_before"]].to_numpy(),
            hovertemplate="%{x:+.3f} (bonus %{customdata[0]:+.3f}, seen %{customdata[1]:.0f} times "
            f"before)<extra>{name}</extra>",
        )
    figure.update_yaxes(tickvals=places, ticktext=shown, showgrid=False)
    return figure


def decay(paid: pd.DataFrame, seen: pd.Series, *, title: str = "") -> go.Figure:
    """What an answer is paid against how often it was given before; ticks mark the group's answers.

    Args:
        paid: of `core.labs.collapse.explorer.bonus_decay`.
        seen: N of each sample of the group.
        title: of the figure.
    """
    figure = frame(title, "N: how often the answer was given before", "c × bonus", height=260)
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    figure.add_scatter(
        x=paid["seen"],
        y=paid["paid"],
        mode="lines",
        line={"color": LINE, "width": 2},
        hovertemplate="seen %{x} times: %{y:+.3f}<extra></extra>",
    )
    inside = sorted({int(n) for n in seen if n <= paid["seen"].max()})
    figure.add_scatter(
        x=inside,
        y=[float(paid["paid"].iloc[n]) for n in inside],
        mode="markers",
        marker={"size": 9, "color": LINE},
        hovertemplate="in this group: seen %{x} times, %{y:+.3f}<extra></extra>",
    )
    return figure
