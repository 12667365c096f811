"""A visitor's own rollouts: uploaded files, or a folder that a training run fills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app_pages.common.background import steady_outcome
from app_pages.common.hosting import data_roots
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.rollout_mapper import choose_reading
from core.errors import WorkbenchError
from core.local_data import find_local_data
from core.rollouts.answers import AnswerRule
from core.rollouts.files import RolloutFile, find_files
from core.rollouts.readers.base import run_of_folder
from core.rollouts.readers.columns import ColumnMapping
from core.rollouts.reading import ReadRollouts, peek, read_rollout_files, read_samples
from core.schema import content_id

FOLDER = "A folder on the server"
FILE_TYPES = ["parquet", "jsonl", "json", "csv", "tsv", "gz", "eval"]
WATCH_S = 5.0
"""How often a watched folder is looked at."""

SHOWN_PROBLEMS = 30
SHOWN_UNREAD = 5
SHOWN_END = 160
"""Characters of a response without an answer that are shown."""


@dataclass(frozen=True)
class OwnRollouts:
    """What was read of a visitor's own rollouts.

    Attributes:
        read: the table, its problems and notes.
        key: changes whenever the files or the way they are read do.
        source: in words.
        python: the lines that give `rollouts` in a script.
        samples: the rollouts of a problem at a step with their texts, where these were left in the
            files; None where the table has them.
    """

    read: ReadRollouts
    key: str
    source: str
    python: str
    samples: Callable[[str, int], pd.DataFrame] | None = None


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
    state = _state(files)
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
    looked = steady_outcome(f"{name}-rollouts-look", where, key, lambda: peek(files()))
    if not is_there(looked, "Looking at the files …"):
        return None
    mapping, rule = choose_reading(name, looked.value)
    way = content_id([repr(mapping), repr(rule)])
    # What was there before stays on the screen while new files are read.
    outcome = steady_outcome(
        f"{name}-rollouts-read",
        (where or key, way),
        key,
        lambda: (
            key,
            read_rollout_files(files(), name=_run_name(folder), mapping=mapping, rule=rule),
        ),
    )
    if not is_there(outcome, f"Reading {plain(label)} …"):
        return None
    state, read = outcome.value
    _told(read)
    return OwnRollouts(
        read=read,
        key=content_id([where, state, way]),
        source=label,
        python=_as_python(python_source, mapping, rule),
        samples=_samples_of(files(), mapping, _run_name(folder)) if read.texts_left else None,
    )


def _samples_of(
    files: Sequence[RolloutFile], mapping: ColumnMapping | None, name: str
) -> Callable[[str, int], pd.DataFrame]:
    def samples(problem_id: str, step: int) -> pd.DataFrame:
        return read_samples(files, problem_id=problem_id, step=step, mapping=mapping, name=name)

    return samples


def _run_name(folder: Path | None) -> str:
    """The run that a folder's own place names; nothing for files."""
    if folder is None or not folder.is_dir():
        return ""
    return run_of_folder(PurePosixPath(folder.resolve().as_posix()))


def _state(files: Sequence[RolloutFile]) -> str:
    return content_id([file.stamp for file in files])


def _told(read: ReadRollouts) -> None:
    """What was read, and what was wrong with it."""
    table = read.table
    steps = table["step"]
    formats = ", ".join(f"{plain(title)} ({n:,})" for title, n in read.formats.items())
    st.caption(
        f":material/check_circle: {len(table):,} rollouts of {table['problem_id'].nunique():,} "
        f"problems, {table['run'].nunique():,} runs, steps {steps.min():,} to {steps.max():,}. "
        f"{_answers_told(read)} Files: {formats}."
    )
    checked = read.checked
    n_unread = int(table["answer"].isna().sum())
    if not (checked.notes or checked.n_problems or checked.left_out or n_unread):
        return
    label = (
        f"How it was read: {checked.n_problems:,} problems, {checked.n_left_out:,} rows left out, "
        f"{n_unread:,} without an answer"
    )
    with st.expander(label, icon=":material/info:"):
        for note in checked.notes:
            st.text(note)
        for reason, count in checked.left_out.items():
            st.text(f"{count:,} rows: {reason}")
        for problem in checked.problems[:SHOWN_PROBLEMS]:
            st.text(str(problem))
        if checked.n_problems > SHOWN_PROBLEMS:
            st.caption(f"… and {checked.n_problems - SHOWN_PROBLEMS:,} more")
        _unread_responses(table)


def _answers_told(read: ReadRollouts) -> str:
    """How many responses have an answer, and why others have none."""
    answers = read.table["answer"]
    n_unread = int(answers.isna().sum())
    if n_unread == len(answers):
        return "No response has an answer that could be read."
    if not n_unread:
        return "Every response has an answer."
    why = "; ".join(f"{plain(reason)} ({n:,})" for reason, n in read.unread.items())
    share = n_unread / len(answers)
    told = f"{share:.1%}" if share >= 0.001 else "less than 0.1%"
    return (
        f"**{n_unread:,} of {len(answers):,} responses ({told}) have no "
        f"answer that could be read**{f': {why}' if why else ''}."
    )


def _unread_responses(table: pd.DataFrame) -> None:
    """The ends of some responses without an answer: they tell which rule would read them."""
    unread = table.loc[table["answer"].isna(), "response"].dropna().head(SHOWN_UNREAD)
    if unread.empty:
        return
    st.caption(
        "The ends of some responses without an answer. If answers stand there, choose another rule "
        "above under “How they are read”."
    )
    for response in unread:
        st.text(f"… {response[-SHOWN_END:]}" if len(response) > SHOWN_END else response)


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
    if _state(files) != state:
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
