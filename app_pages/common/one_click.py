"""One-click edits: the named perturbations, grouped by what they should do to the reward."""

import streamlit as st

from app_pages.common.session import act, workspace
from app_pages.common.workspace import Workspace
from core.perturbations.base import GROUP_MEANING, Group
from core.perturbations.registry import get, perturbations

_LABELS: dict[Group, tuple[str, str]] = {
    "nothing": ("Change nothing", ":material/trending_flat:"),
    "lower": ("Make it worse", ":material/trending_down:"),
    "raise": ("Make it better", ":material/trending_up:"),
    "shortcut": ("Try a shortcut", ":material/bolt:"),
}


def menus() -> None:
    """One searchable menu a group; below, what the last edit changed or why it did not apply."""
    space = workspace()
    for column, (group, (label, icon)) in zip(
        st.columns(len(_LABELS), gap="small"), _LABELS.items(), strict=True
    ):
        with column:
            names = [perturbation.name for perturbation in perturbations(group)]
            if names:
                # A list to type into: thirty entries of a menu would leave the screen.
                st.selectbox(
                    f"{icon} {label}",
                    names,
                    index=None,
                    placeholder="Choose an edit",
                    key=f"edit-{group}",
                    format_func=_title,
                    help=GROUP_MEANING[group],
                    disabled=space.conversation is None,
                    on_change=_apply,
                    args=(f"edit-{group}",),
                )
    if space.notice:
        st.text(space.notice)


def _title(name: str) -> str:
    return get(name).title


def _apply(key: str) -> None:
    name = st.session_state.get(key)
    if name is not None:
        st.session_state[key] = None  # ready for the next edit, which may be the same one
        act(lambda space: apply_perturbation(space, name))


def apply_perturbation(space: Workspace, name: str) -> None:
    """Edits the text on screen with a perturbation, as a new version; says so where it cannot.

    Using the same one again takes the next seed, so that a second click makes a second edit.
    """
    if space.conversation is None:
        return
    perturbation = get(name)
    seed = sum(version.label == perturbation.title for version in space.tree.versions)
    outcome = perturbation.apply(space.conversation, seed=seed)
    if not outcome.applied:
        space.notice = f"{perturbation.title} does not apply: {outcome.reason}"
        return
    space.apply(outcome.conversation, perturbation.title)
    space.notice = f"{perturbation.title}: {outcome.note or perturbation.description}"
