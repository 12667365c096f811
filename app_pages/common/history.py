"""The history: every version, what changed, the way back, and the reward along the way."""

import math
from collections.abc import Sequence

import streamlit as st

from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.service import model_titles, noise_floor
from app_pages.common.session import act, session_jobs, workspace
from app_pages.common.workspace import Workspace
from core.diff import word_diff
from core.figures.rewards import version_line
from core.versions import Version

PARENT, PINNED = "its parent", "the baseline"


def history(models: Sequence[str]) -> bool:
    """Draws the history; True while rewards of older versions are still being computed."""
    space = workspace()
    waiting = _fill_in(space, models)
    left, right = st.columns([0.36, 0.64], gap="medium")
    with left:
        chosen = _version_list(space, models)
    with right:
        _actions(space, chosen)
        _difference(space, chosen)
    _lines(space, models)
    return waiting


def _version_list(space: Workspace, models: Sequence[str]) -> Version:
    """All versions, newest first; the one on screen is chosen unless the visitor chose another."""
    versions = list(reversed(space.tree.versions))
    ids = [version.id for version in versions]
    if st.session_state.get("version-of") != (space.tree.current.id, len(ids)):
        st.session_state["version-of"] = (space.tree.current.id, len(ids))
        st.session_state["version"] = space.tree.current.id
    with st.container(height=360 if len(ids) > 5 else "content", border=False):
        chosen = st.radio(
            "Versions",
            ids,
            key="version",
            format_func=lambda version_id: _name(space.tree[version_id]),
            captions=[_caption(space, version, models) for version in versions],
        )
    return space.tree[chosen]


def _name(version: Version) -> str:
    """The version's label; the same for as long as it lives, because the control knows it by it."""
    return f"v{version.id} {plain(version.label)}"


def _caption(space: Workspace, version: Version, models: Sequence[str]) -> str:
    origin = f"from v{version.parent}" if version.parent is not None else "start"
    if version.id == space.tree.pinned.id:
        origin = f":material/push_pin: baseline · {origin}"
    if version.id == space.tree.current.id:
        origin = f":material/edit: on screen · {origin}"
    reward = version.rewards.get(models[0], math.nan) if models else math.nan
    if not math.isfinite(reward):
        return origin
    baseline = space.tree.pinned.rewards.get(models[0], math.nan)
    change = reward - baseline
    moved = f" ({change:+.3f})" if math.isfinite(change) and change else ""
    return f"{origin} · {reward:.3f}{moved}"


def _actions(space: Workspace, version: Version) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f"**v{version.id}** {plain(version.label)}", width="content")
        st.space("stretch")
        st.button(
            "Pin as baseline",
            key="pin",
            icon=":material/push_pin:",
            disabled=version.id == space.tree.pinned.id,
            on_click=act,
            args=(lambda workspace: workspace.pin(version.id),),
            help="Changes are measured against the baseline.",
        )
        st.button(
            "Go back to it",
            key="back",
            icon=":material/undo:",
            disabled=version.id == space.tree.current.id and space.settled,
            on_click=act,
            args=(lambda workspace: workspace.go_back(version.id),),
            help="Puts this version into the editor; nothing is lost, the next edit branches off.",
        )
        st.button(
            "Branch",
            key="branch",
            icon=":material/call_split:",
            on_click=act,
            args=(lambda workspace: workspace.branch(version.id),),
            help="Starts a new line of versions from a copy of this one.",
        )


def _difference(space: Workspace, version: Version) -> None:
    parent = space.tree[version.parent] if version.parent is not None else None
    choices = [PARENT, PINNED] if parent is not None else [PINNED]
    against = st.segmented_control(
        "Compared with", choices, default=choices[0], required=True, key="against"
    )
    other = parent if against == PARENT and parent is not None else space.tree.pinned
    if other.id == version.id:
        st.caption("This version is the baseline.")
        return
    show_pieces(_diff_pieces(other, version))
    st.caption(f"From v{other.id} to v{version.id}: green added, struck through removed.")


def _diff_pieces(old: Version, new: Version) -> list[Piece]:
    pieces = []
    for index in range(max(len(old.messages), len(new.messages))):
        before = old.messages[index] if index < len(old.messages) else None
        after = new.messages[index] if index < len(new.messages) else None
        role = (after or before or {})["role"]
        pieces.append(Piece(f"{role}\n", "muted"))
        pieces += [
            Piece(part.text, {"insert": "added", "delete": "removed"}.get(part.op, "same"))
            for part in word_diff(
                (before or {}).get("content", ""), (after or {}).get("content", "")
            )
        ]
        pieces.append(Piece("\n\n"))
    return pieces


def _lines(space: Workspace, models: Sequence[str]) -> None:
    versions = space.tree.versions
    if len(versions) < 2 or not models:
        return
    st.caption(
        "Reward over versions, one axis a model. Dotted: the baseline; grey band: its noise floor."
    )
    titles = model_titles()
    with st.grid(min(3, len(models)), min_column_width=320):
        for model in models:
            st.plotly_chart(
                version_line(
                    [f"v{version.id}" for version in versions],
                    [version.rewards.get(model, math.nan) for version in versions],
                    title=titles.get(model, model),
                    labels=[f"v{version.id} {version.label}" for version in versions],
                    baseline=space.tree.pinned.rewards.get(model),
                    noise_floor=noise_floor(model),
                ),
                key=f"versions-{model}",
                config={"displayModeBar": False},
            )


def _fill_in(space: Workspace, models: Sequence[str]) -> bool:
    """Has versions scored by models that were chosen later; True while some are not there yet."""
    waiting = False
    for model, versions in space.missing_rewards(models).items():
        rewards, missing = session_jobs().versions(model, versions)
        for version, reward in rewards.items():
            space.keep_rewards(version, {model: reward})
        waiting = waiting or missing
    return waiting
