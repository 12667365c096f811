"""Pieces that several tabs draw: a group's choice, numbers with intervals, the way to play."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.diversity.setup import NAME
from app_pages.common.markup import plain
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.service import default_models
from core.labs.groups import GROUP_KEYS
from core.schema import content_id, make_conversation
from core.stats import Estimate

LABEL_WIDTH = 90


def metric(column: Any, label: str, found: Estimate, *, percent: bool = False, about: str) -> None:
    """One aggregate with its interval and n."""
    shown = f"{found.value:.0%}" if percent else f"{found.value:.2f}"
    interval = (
        f"{found.low:.0%} to {found.high:.0%}"
        if percent
        else f"{found.low:.2f} to {found.high:.2f}"
    )
    if not np.isfinite(found.low):
        interval = "no interval"
    left_out = sum(found.left_out.values())
    with column:
        st.metric(label, shown if np.isfinite(found.value) else "–", help=about)
        st.caption(
            f"{interval} · {counted(found.n, 'group')}, {counted(found.n_prompts, 'problem')}"
            + (f", {left_out:,} left out" if left_out else "")
        )


def counted(n: int, noun: str) -> str:
    """A number of things: "1 group", "2 groups"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def left_out_note(left_out: Mapping[str, int], notes: tuple[str, ...] = ()) -> None:
    """What could not be used, in a line."""
    if left_out:
        told = "; ".join(f"{plain(reason)} ({count:,})" for reason, count in left_out.items())
        st.caption(f":material/info: Left out: {told}.")
    for note in notes:
        st.caption(f":material/info: {plain(note)}")


def choose_group(table: pd.DataFrame, key: str) -> np.ndarray | None:
    """The rows of one group that the visitor picks by its problem and run."""
    keys = [name for name in GROUP_KEYS if name in table.columns]
    codes = table.groupby(keys, sort=False, dropna=False, observed=True).ngroup().to_numpy()
    first = pd.Series(codes).drop_duplicates().index
    groups = table.loc[first, [*keys, "prompt"]].assign(code=codes[first])
    told = content_id([key, *map(str, groups["problem_id"].head(50))])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        problems = groups.drop_duplicates("problem_id").set_index("problem_id")["prompt"]
        problem = st.selectbox(
            "Problem",
            list(problems.index),
            key=f"{NAME}-{key}-problem-{told}",
            format_func=lambda each: _label(each, problems[each]),
            persist_state="session",
            help="The group is all samples that one run drew for this problem at one step.",
        )
        own = groups.loc[groups["problem_id"] == problem]
        rest = [name for name in keys if name != "problem_id" and own[name].nunique() > 1]
        codes_of = own["code"].tolist()
        names = dict(zip(codes_of, (_named(row, rest) for _, row in own.iterrows()), strict=True))
        code = st.selectbox(
            "Run",
            codes_of,
            key=f"{NAME}-{key}-run-{told}-{content_id(str(problem))}",
            format_func=lambda each: names.get(each, str(each)),
            persist_state="session",
            help="Which run's samples.",
        )
    return None if code is None else np.flatnonzero(codes == code)


def open_button(row: Any, baseline: Any, key: str, label: str, about: str) -> None:
    """A button that opens a response in the playground, against another of the same problem."""
    prompt = row["prompt"]
    if not isinstance(prompt, str) or not isinstance(row["response"], str):
        st.caption("Without its prompt and text a response cannot be opened in the playground.")
        return
    if st.button(label, key=f"{NAME}-open-{key}", icon=":material/edit_note:", help=about):
        other = None
        if baseline is not None and isinstance(baseline["response"], str):
            other = make_conversation(prompt, baseline["response"])
        open_in_playground(
            make_conversation(prompt, row["response"]),
            other,
            default_models(),
            labels=("another response", "opened from the map"),
        )


def _label(problem: object, prompt: object) -> str:
    told = str(prompt) if isinstance(prompt, str) else str(problem)
    flat = " ".join(told.split())
    return flat if len(flat) <= LABEL_WIDTH else flat[: LABEL_WIDTH - 1] + "…"


def _named(row: Any, names: list[str]) -> str:
    return ", ".join(str(row[name]) for name in names) or str(row["run"])
