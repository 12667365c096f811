"""Tab: the reference's tokens, coloured by how likely they are after each trace."""

import html
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.markup import LOWERS, RAISES, plain
from app_pages.common.verifier_free.setup import Setup
from core.labs.verifier_free.aggregates import (
    TITLES,
    Aggregate,
    aggregate,
    effect_of_token,
    has_impossible,
)
from core.labs.verifier_free.rewards import RewardOptions, rlpr_rewards

SHOWN: tuple[Aggregate, ...] = ("mean", "product", "geometric")
_LINE = "line-height:2.1;font-size:1.05rem;white-space:pre-wrap;overflow-wrap:anywhere"


def tokens_view(setup: Setup) -> None:
    """The whole tab."""
    group = setup.group
    rewards = rlpr_rewards(group, setup.options)
    st.markdown(_reading(group, rewards, setup.options))
    st.caption(
        "Each token of the reference, orange when unlikely and blue when likely. Point at one to "
        "see its probability, and what the reward would gain if it were certain."
    )
    bare = group["ref_log_probabilities_without"].iloc[0]
    score = setup.options.score
    if bare is not None:
        _strip("Without reasoning", group["pieces"].iloc[0], bare, score, "")
    texts = {trace.trace_id: trace.text for trace in setup.problem.traces}
    for at, row in enumerate(group.to_dict("records")):
        label = {True: "right", False: "wrong"}.get(row["correct"], "not labelled")
        title = f"After trace {row['trace_id']} ({label})"
        _strip(
            title,
            row["pieces"],
            row["ref_log_probabilities"],
            score,
            f"reward {rewards[at]:.4f}" if math.isfinite(rewards[at]) else "no reward",
        )
        if has_impossible(row["ref_log_probabilities"]):
            st.caption(":material/warning: A token has probability 0; the product is 0 for that.")
        with st.expander(f"Read trace {plain(row['trace_id'])}", icon=":material/notes:"):
            st.text(texts.get(row["trace_id"], ""))


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
        f"**Trace {plain(str(best['trace_id']))}, {label}, gets the highest reward** "
        f"({float(np.nanmax(rewards)):.4f}, by {gain}the {TITLES[options.score]} of the reference)."
    )


def _strip(
    title: str, pieces: Sequence[str], logs: np.ndarray, score: Aggregate, reward: str
) -> None:
    values = "; ".join(f"{TITLES[how]} {aggregate(logs, how):.4f}" for how in SHOWN)
    if score not in SHOWN:
        values += f"; {TITLES[score]} {aggregate(logs, score):.3f}"
    told = f"{values}{' · ' + reward if reward else ''}"
    st.html(
        f'<div style="font-size:.85rem;opacity:.75">{html.escape(title)} · {html.escape(told)}'
        f'</div><div dir="auto" class="reference-tokens" style="{_LINE}">'
        f"{tokens_html(pieces, logs)}</div>"
    )


def tokens_html(pieces: Sequence[str] | None, logs: np.ndarray) -> str:
    """The tokens as HTML in which every character stands for itself."""
    shown = list(pieces) if pieces is not None else [f"[{n + 1}]" for n in range(len(logs))]
    effects = {how: effect_of_token(logs, how) for how in SHOWN}
    spans = []
    for at, (piece, log) in enumerate(zip(shown, logs, strict=True)):
        p = math.exp(log)
        red, green, blue = RAISES if p >= 0.5 else LOWERS
        strength = 0.06 + 0.54 * abs(p - 0.5) * 2
        hint = f"p = {p:.4f} ({log:.2f} nats). If it were certain: " + ", ".join(
            f"{TITLES[how]} {effects[how][at]:+.4f}" for how in SHOWN
        )
        text = piece if piece.strip() else piece.replace(" ", "␣") or "·"
        spans.append(
            f'<span title="{html.escape(hint, quote=True)}" style="background:'
            f"rgba({red},{green},{blue},{strength:.3f});border-radius:3px;padding:.1rem .15rem;"
            f'margin-right:2px">{html.escape(text)}</span>'
        )
    return "".join(spans)
