"""A visitor's own rollouts: uploaded files, or a folder that a training run fills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import WorkbenchError
from core.local_data import find_local_data
from core.rollouts.answers import AnswerRule
from core.rollouts.files import RolloutFile, find_files
from core.rollouts.readers.columns import ColumnMapping
from core.rollouts.reading import ReadRollouts, peek, read_rollout_files
from core.schema import content_id
from pages.common.background import Outcome, tasks
from pages.common.hosting import data_roots
from pages.common.lab_run import is_there
from pages.common.markup import plain
from pages.common.rollout_mapper import choose_reading

FOLDER = "A folder on the server"
FILE_TYPES = ["parquet", "jsonl", "json", "csv", "tsv", "gz", "eval"]
WATCH_S = 5.0
"""How often a watched folder is looked at."""

SHOWN_PROBLEMS = 30


@dataclass(frozen=True)
class OwnRollouts:
    """What was read of a visitor's own rollouts.

    Attributes:
        read: the table, its problems and notes.
        key: changes whenever the files or the way they are read do.
        source: in words.
        python: the lines that give `rollouts` in a script.
    """

    read: ReadRollouts
    key: str
    source: str
    python: str


def from_upload(name: str) -> OwnRollouts | None:
    """The control for uploaded files; None (with what to do) while there are none."""
    files = st.file_uploader(
        "Files of rollouts",
        FILE_TYPES,
        accept_multiple_files=True,
        key=f"{name}-rollout-files",
        help="TRL completions (Parquet), verl dumps (JSONL), OpenRLHF samples, prime-rl rollouts, "
        "Inspect logs (.eval, .json), or a table with a row for each response.",
    )
    held = _kept(name, [(file.name, file.getvalue()) for file in files or ()])
    if not held:
        st.caption(
            "A row for each response: its prompt or problem, the training step, and at least one "
            "of response, answer, verdict and reward. Several files are put together."
        )
        return None
    key = content_id([[file_name, len(data), hash(data)] for file_name, data in held])
    given = [RolloutFile(file_name, data=data) for file_name, data in held]
    listed = held[0][0] if len(held) == 1 else f"{len(held)} files"
    paths = [file_name for file_name, _ in held]
    source = f"Path({paths[0]!r})" if len(paths) == 1 else "Path('.')  # the folder of your files"
    return _read(name, key, lambda: given, listed, source)


def from_folder(name: str) -> OwnRollouts | None:
    """The control for a folder, watched where that is wanted; None while there is none."""
    roots = data_roots()
    if not roots:
        st.info(
            "This server reads no folders. Upload the files, or have the operator name "
            "`data_folders` in settings.toml.",
            icon=":material/info:",
        )
        return None
    left, middle, right = st.columns([0.6, 0.2, 0.2], vertical_alignment="bottom")
    typed = left.text_input(
        "Folder",
        key=f"{name}-rollout-folder",
        placeholder="runs/my-run",
        persist_state="session",
        help="A folder of this server with what a trainer writes, or one file of it. The folders "
        "within it are read too; each becomes a run.",
    )
    watched = middle.toggle(
        "Watch",
        True,
        key=f"{name}-rollout-watch",
        persist_state="session",
        help=f"Looks for new files every {WATCH_S:.0f} seconds, while training writes them.",
    )
    right.button(
        "Look again",
        key=f"{name}-rollout-again",
        icon=":material/refresh:",
        help="Reads what has come since.",
    )
    if not typed or not typed.strip():
        st.caption(f"Type the path of a folder within {plain(', '.join(map(str, roots)))}.")
        return None
    try:
        path = find_local_data(typed, roots)
        files = find_files(path)
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        if watched:
            _watch(name, None, "")
        return None
    state = content_id([file.stamp for file in files])
    if watched:
        _watch(name, path, state)
    return _read(name, state, lambda: files, typed.strip(), f"Path({str(path)!r})", folder=path)


def _read(
    name: str,
    key: str,
    files: Callable[[], Sequence[RolloutFile]],
    label: str,
    python_source: str,
    *,
    folder: Path | None = None,
) -> OwnRollouts | None:
    """Looks at the files, asks how they are read, and reads them, all of it in the background."""
    where = str(folder) if folder is not None else ""
    looked = tasks().outcome(("rollouts", "look", where, key), lambda: peek(files()))
    if looked.state == "running" and folder is not None:
        looked = _last(name, "look", where) or looked
    if not is_there(looked, "Looking at the files …"):
        return None
    _remember(name, "look", where, looked)
    mapping, rule = choose_reading(name, looked.value)
    way = content_id([repr(mapping), repr(rule)])
    outcome = tasks().outcome(
        ("rollouts", "read", where, key, way),
        lambda: _read_all(files(), folder, mapping, rule),
    )
    if outcome.state == "running" and folder is not None:
        # What was there before stays on the screen while new files are read.
        outcome = _last(name, "read", where + way) or outcome
    if not is_there(outcome, f"Reading {plain(label)} …"):
        return None
    _remember(name, "read", where + way, outcome)
    read: ReadRollouts = outcome.value
    _told(read)
    return OwnRollouts(
        read=read,
        key=content_id([where, key, way, len(read.table)]),
        source=label,
        python=_as_python(python_source, mapping, rule),
    )


def _read_all(
    files: Sequence[RolloutFile],
    folder: Path | None,
    mapping: ColumnMapping | None,
    rule: AnswerRule | None,
) -> ReadRollouts:
    # A folder is listed again: training has gone on since the script looked.
    source: Path | Sequence[RolloutFile] = folder if folder is not None else files
    return read_rollout_files(source, mapping=mapping, rule=rule)


def _told(read: ReadRollouts) -> None:
    """What was read, and what was wrong with it."""
    table = read.table
    steps = table["step"]
    formats = ", ".join(f"{plain(title)} ({n:,})" for title, n in read.formats.items())
    st.caption(
        f":material/check_circle: {len(table):,} rollouts of {table['problem_id'].nunique():,} "
        f"problems, {table['run'].nunique():,} runs, steps {steps.min():,} to {steps.max():,}. "
        f"Files: {formats}."
    )
    checked = read.checked
    if not (checked.notes or checked.n_problems or checked.left_out):
        return
    label = f"{checked.n_problems:,} problems, {checked.n_left_out:,} rows left out"
    with st.expander(label, icon=":material/info:"):
        for note in checked.notes:
            st.text(note)
        for reason, count in checked.left_out.items():
            st.text(f"{count:,} rows: {reason}")
        for problem in checked.problems[:SHOWN_PROBLEMS]:
            st.text(str(problem))
        if checked.n_problems > SHOWN_PROBLEMS:
            st.caption(f"… and {checked.n_problems - SHOWN_PROBLEMS:,} more")


@st.fragment(run_every=WATCH_S)
def _watch(name: str, path: Path | None, state: str) -> None:
    """Runs the page again once the folder holds something new."""
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run:
        return
    try:
        roots = data_roots()
        typed = str(st.session_state.get(f"{name}-rollout-folder") or "")
        files = find_files(path if path is not None else find_local_data(typed, roots))
    except WorkbenchError:
        return
    if content_id([file.stamp for file in files]) != state:
        st.rerun()


def _kept(name: str, uploaded: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The files that are used: the uploader forgets its own when the visitor changes the page."""
    field = f"{name}-rollout-upload"
    if uploaded:
        st.session_state[field] = uploaded
        return uploaded
    kept: list[tuple[str, bytes]] = st.session_state.get(field) or []
    if kept:
        listed = kept[0][0] if len(kept) == 1 else f"{len(kept)} files"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/draft: Still using {plain(listed)}.", width="content")
            st.button(
                "Forget them",
                key=f"{field}-forget",
                type="tertiary",
                on_click=lambda: st.session_state.pop(field, None),
            )
    return kept


def _last(name: str, what: str, key: str) -> Outcome | None:
    held: tuple[str, Outcome] | None = st.session_state.get(f"{name}-rollout-last-{what}")
    return held[1] if held is not None and held[0] == key else None


def _remember(name: str, what: str, key: str, outcome: Outcome) -> None:
    st.session_state[f"{name}-rollout-last-{what}"] = (key, outcome)


def _as_python(source: str, mapping: ColumnMapping | None, rule: AnswerRule | None) -> str:
    """The lines that read the same files in the same way."""
    path, _, remark = source.partition("  # ")
    lines = ["from pathlib import Path", ""]
    given: dict[str, Any] = {"mapping": mapping, "rule": rule}
    if rule is not None:
        lines.append("from core.rollouts.answers import AnswerRule")
    if mapping is not None:
        lines.append("from core.rollouts.readers import ColumnMapping")
    lines += ["from core.rollouts.reading import read_rollout_files", ""]
    if remark:
        lines.append(f"# {remark[0].upper()}{remark[1:]}.")
    arguments = "".join(f", {key}={value!r}" for key, value in given.items() if value is not None)
    lines.append(f"rollouts = read_rollout_files({path}{arguments}).table")
    return "\n".join(lines)
