"""The sections of a report, drawn on a page: text, numbers with intervals, figures, tables."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from core.exports import figure_config
from core.report import Section, estimates_table
from core.report.section import left_out_lines
from core.tables.writing import json_ready

MAX_ROWS = 1_000
"""Rows of a table that a page shows; all of them are in the downloads."""


def draw_sections(sections: Sequence[Section], key: str, *, columns: int = 2) -> None:
    """Draws sections one below the other.

    Args:
        sections: of a result's report.
        key: tells these elements from others on the page.
        columns: figures of one section that stand side by side.
    """
    for place, section in enumerate(sections):
        draw_section(section, f"{key}-{place}", columns=columns)


def draw_section(section: Section, key: str, *, columns: int = 2) -> None:
    """Draws one section. Its texts come out as written, never read as markup."""
    st.markdown(f"##### {plain(section.heading)}")
    for paragraph in section.text.split("\n\n"):
        if paragraph.strip():
            st.markdown(plain(paragraph.strip()))
    if section.estimates:
        st.dataframe(
            readable(estimates_table(section.estimates)), hide_index=True, key=f"{key}-estimates"
        )
    beside = st.columns(min(columns, len(section.figures))) if section.figures else []
    for number, figure in enumerate(section.figures):
        with beside[number % len(beside)]:
            st.plotly_chart(
                figure,
                key=f"{key}-figure-{number}",
                config=figure_config(f"{section.heading}-{number + 1}"),
            )
    for line in [*left_out_lines(section), *section.notes]:
        st.caption(f":material/info: {plain(str(line))}")
    has_more = bool(section.figures or section.estimates)
    for number, (caption, frame) in enumerate(section.tables.items()):
        draw_table(caption, frame, f"{key}-table-{number}", expanded=not has_more and number == 0)


def draw_table(caption: str, frame: pd.DataFrame, key: str, *, expanded: bool = False) -> None:
    """Draws a table below its caption, which opens it; what is closed is not sent."""
    label = f"{plain(caption)} · {len(frame):,} rows"
    box = st.expander(label, expanded=expanded, key=key, on_change="rerun")
    with box:
        if not box.open:
            return
        if len(frame) > MAX_ROWS:
            st.caption(f"The first {MAX_ROWS:,} of {len(frame):,} rows; all are in the downloads.")
        st.dataframe(readable(frame.head(MAX_ROWS)), hide_index=True, key=f"{key}-rows")


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as a browser can show it: nested cells and odd characters as text."""
    shown = frame.copy(deep=False)
    for name in shown.columns:
        column = shown[name]
        if column.dtype == object or pd.api.types.is_string_dtype(column.dtype):
            shown[name] = [_cell(value) for value in column]
    return shown


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        value = json.dumps(json_ready(value), ensure_ascii=False)
    # Half a surrogate pair cannot be sent to a browser.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
