"""One of a few, chosen within a lab: a row of buttons whose choice outlives a change of page."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.service import model_titles
from core.schema import content_id

T = TypeVar("T")


def one_of(
    lab: str,
    label: str,
    options: Sequence[T],
    key: str,
    names: Mapping[T, str] | None = None,
    *,
    hint: str | None = None,
) -> T:
    """One of several, as a row of buttons; no control where there is no choice.

    Args:
        lab: whose control it is; begins the widget's key.
        label: what is chosen.
        options: at least one.
        key: of the control within the lab.
        names: what options are called; themselves where one is missing.
        hint: the help text.
    """
    if len(options) == 1:
        return options[0]
    titles = names or {}
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        format_func=lambda option: plain(titles.get(option, str(option))),
        key=choice_key(lab, key, options),
        help=hint,
        persist_state="session",
    )
    return options[0] if chosen is None else chosen


def choice_key(lab: str, key: str, options: Sequence[object]) -> str:
    """The key of `one_of`: other options have another, so that none is asked for that is gone."""
    return f"{lab}-{key}-{content_id([str(option) for option in options])}"


def one_model(lab: str, models: Sequence[str]) -> str:
    """The model whose results are on screen; the same on every tab of the lab."""
    return one_of(lab, "Model", list(models), "model", model_titles())
