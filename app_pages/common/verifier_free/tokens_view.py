"""Tab: the reference's tokens, coloured by how likely they are after each trace."""

import html
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.markup import LOWERS, RAISES, plain
from app_pages.common.verifier_free.setup import Setup
from core.figures.style import CHOSEN, REJECTED
from core.labs.verifier_free.aggregates import (
    TITLES,
    WHOLE,
    Aggregate,
    Span,
    aggregate,
    effect_of_token,
    has_impossible,
)
from core.labs.verifier_free.rewards import RewardOptions, rlpr_rewards
from core.labs.verifier_free.spans import span_of

SHOWN: tuple[Aggregate, ...] = ("mean", "product", "geometric")
"""Whose change a token's hover text tells."""

_LABELS = {True: "right", False: "wrong"}
_CELL = "padding:.3rem .7rem .3rem 0;border:none;border-top:1px solid rgba(128,138,160,.25)"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
_LINE = "line-height:1.9;font-size:1.05rem;white-space:pre-wrap;overflow-wrap:anywhere"


def tokens_view(setup: Setup) -> None:
    """The whole tab."""
    group, rewards = setup.group, rlpr_rewards(setup.group, setup.options)
    st.markdown(_reading(group, rewards, setup.options))
    if setup.problem.question:
        st.caption(
            f"Question: {plain(setup.problem.question)} Reference: "
            f"{plain(setup.problem.reference or 'not in the file')}"
        )
    st.html(_table(setup, rewards))
    st.caption(
        "The reference's tokens: orange when unlikely, blue when likely. Point at one for its "
        "probability and what each score would gain if it were certain. The reward is "
        f"{_formula(setup.options)}. Probabilities are those of the reference after the trace and "
        "“Final answer:”, unless they came with a file."
    )
    impossible = [
        str(row["trace_id"])
        for row in group.to_dict("records")
        if has_impossible(row["ref_log_probabilities"])
    ]
    if impossible:
        st.caption(
            ":material/warning: A token has probability 0, which alone makes the product 0: "
            f"{plain(', '.join(impossible))}."
        )
    _traces(setup)


def _formula(options: RewardOptions) -> str:
    how, score = options.debias, TITLES[options.score]
    gain = f"{score} less that without reasoning" if how.baseline else score
    shape = f"the {gain}" + (f", {how.shape}" if how.shape != "identity" else "")
    return f"{1 - how.format_weight:.2g} · ({shape}) + {how.format_weight:.2g} for the format"


def _reading(group: pd.DataFrame, rewards: np.ndarray, options: RewardOptions) -> str:
    """Which trace gets most, in words."""
    usable = np.isfinite(rewards)
    if usable.sum() < 2:
        return "**Too few traces have a reward to compare.**"
    if np.ptp(rewards[usable]) < 1e-9:
        return "**All traces get the same reward: this group would teach nothing.**"
    best = group.iloc[int(np.nanargmax(rewards))]
    label = {True: "which is right", False: "which is wrong"}.get(best["correct"], "not labelled")
    gain = "the gain in " if options.debias.baseline else ""
    return (
        f"**Here trace {plain(str(best['trace_id']))}, {label}, gets the highest reward** "
        f"({float(np.nanmax(rewards)):.4f}, by {gain}the {TITLES[options.score]} of the reference)."
    )


def _table(setup: Setup, rewards: np.ndarray) -> str:
    """Without reasoning and after each trace: tokens, reward and scores, as one HTML table."""
    group, score = setup.group, setup.options.score
    scores = [*SHOWN, *([score] if score not in SHOWN else [])]
    whole = {row["trace_id"]: row for row in setup.whole_group.to_dict("records")}
    heads = ["", "reference", "reward", *(TITLES[how] for how in scores)]
    sides = ["left", "left;width:45%", *["right"] * (len(heads) - 2)]
    head = "".join(
        f'<th style="padding:.2rem .7rem .2rem 0;border:none;text-align:{side};'
        f'font-weight:400;opacity:.7">{html.escape(name)}</th>'
        for name, side in zip(heads, sides, strict=True)
    )
    rows = []
    first = group.iloc[0]
    if first["ref_log_probabilities_without"] is not None:
        full = whole[first["trace_id"]]
        rows.append(
            _row(
                "Without reasoning", full["pieces"], full["ref_log_probabilities_without"],
                _span(setup, full), "", scores,
            )
        )  # fmt: skip
    best = np.nanmax(rewards) if np.isfinite(rewards).any() else np.nan
    for at, row in enumerate(group.to_dict("records")):
        full = whole[row["trace_id"]]
        told = f"{rewards[at]:.4f}" if math.isfinite(rewards[at]) else "none"
        told = f"<strong>{told}</strong>" if rewards[at] == best else told
        rows.append(
            _row(
                f"After trace {row['trace_id']}", full["pieces"], full["ref_log_probabilities"],
                _span(setup, full), told, scores, label=row["correct"],
            )
        )  # fmt: skip
    return (
        '<div style="overflow-x:auto"><table style="width:100%;border-collapse:collapse;'
        f'font-size:.9rem"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        "</div>"
    )


def _span(setup: Setup, row: dict[str, object]) -> Span:
    logs: np.ndarray = row["ref_log_probabilities"]  # type: ignore[assignment]
    pieces: list[str] | None = row["pieces"]  # type: ignore[assignment]
    return span_of(setup.part, len(logs), pieces) or WHOLE


def _row(
    title: str,
    pieces: Sequence[str] | None,
    logs: np.ndarray,
    span: Span,
    reward: str,
    scores: Sequence[Aggregate],
    *,
    label: bool | None = None,
) -> str:
    word, colour = _LABELS.get(label, ""), CHOSEN if label else REJECTED  # type: ignore[arg-type]
    mark = f' <span style="color:{colour};font-weight:600">{word}</span>' if word else ""
    values = "".join(
        f'<td style="{_NUMBER}">{_shown(aggregate(logs, how, span=span))}</td>' for how in scores
    )
    return (
        f'<tr><td style="{_CELL};white-space:nowrap">{html.escape(title)}{mark}</td>'
        f'<td style="{_CELL}"><div dir="auto" class="reference-tokens" style="{_LINE}">'
        f"{tokens_html(pieces, logs, span)}</div></td>"
        f'<td style="{_NUMBER}">{reward}</td>{values}</tr>'
    )


def _shown(value: float) -> str:
    if not math.isfinite(value):
        return "−∞" if value < 0 else "none"
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"


def tokens_html(pieces: Sequence[str] | None, logs: np.ndarray, span: Span = WHOLE) -> str:
    """The tokens as HTML in which every character stands for itself; those outside fade."""
    shown = list(pieces) if pieces is not None else [f"[{n + 1}]" for n in range(len(logs))]
    counted = range(len(logs))[span.start : len(logs) - span.end]
    effects = {how: effect_of_token(span.cut(logs), how) for how in SHOWN}
    spans = []
    for at, (piece, log) in enumerate(zip(shown, logs, strict=True)):
        p = math.exp(log)
        red, green, blue = RAISES if p >= 0.5 else LOWERS
        strength = 0.06 + 0.54 * abs(p - 0.5) * 2
        # A blank belongs to the token after it; the hover text shows where.
        hint = f"“{piece.replace(' ', '␣')}”: p = {p:.4f} ({log:.2f} nats). "
        if at in counted:
            hint += "If it were certain: " + ", ".join(
                f"{TITLES[how]} {effects[how][at - span.start]:+.4f}" for how in SHOWN
            )
        else:
            hint += "Does not count."
        text = piece.lstrip(" ") if at == 0 and piece.strip() else piece
        text = text if text.strip() else text.replace(" ", "␣") or "·"
        faded = "" if at in counted else "opacity:.35;"
        spans.append(
            f'<span title="{html.escape(hint, quote=True)}" style="{faded}background:'
            f"rgba({red},{green},{blue},{strength:.3f});border-radius:3px;padding:.1rem .15rem;"
            f'margin-right:2px">{html.escape(text)}</span>'
        )
    return "".join(spans)


def _traces(setup: Setup) -> None:
    """The texts of the traces, two beside each other."""
    known = set(setup.group["trace_id"])
    traces = [trace for trace in setup.problem.traces if trace.text and trace.trace_id in known]
    columns = st.columns(2, gap="medium") if len(traces) > 1 else [st.container()]
    for number, trace in enumerate(traces):
        with columns[number % len(columns)], st.container(border=True):
            word = _LABELS.get(trace.correct, "not labelled")  # type: ignore[arg-type]
            st.caption(f"Trace {plain(trace.trace_id)}, {word}")
            st.text(trace.text)
