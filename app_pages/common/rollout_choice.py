"""Which rollouts a lab works on: recorded runs, the visitor's files, or a folder that fills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.rollout_sources import FOLDER, OwnRollouts, from_folder, from_upload
from core.errors import WorkbenchError
from core.rollouts.recorded import Collection, read_rollouts
from core.rollouts.recorded import collection as recorded_collection
from core.schema import content_id

RECORDED, UPLOAD = "Recorded runs", "My files"

WORDS = {
    "response": "the text of each response",
    "prompt": "the text of each prompt",
    "answer": "an answer for each response",
    "correct": "whether each answer is right",
    "reward": "a reward for each response",
    "tool_calls": "how many tools each response called",
    "tool_errors": "how many of the calls failed",
    "log_probability": "the log-probability of each response",
    "entropy": "the policy's entropy for each response",
    "task": "the task family of each problem",
}
"""What a column is, for a visitor whose table lacks it."""


@dataclass(frozen=True)
class ChosenRollouts:
    """The rollouts a visitor chose.

    Attributes:
        table: a rollout table (`core.schema.ROLLOUT_COLUMNS` and what else is there).
        key: changes whenever the table does.
        source: where they come from, in words.
        runs: names of the runs in the table.
        base_runs: those of an untrained policy.
        notes: what was left out, guessed or is missing, a sentence each.
        collection: the recorded collection, or None for the visitor's own rollouts.
        python: the lines that give `rollouts` in a script.
        samples: the rollouts of a problem (its id) at a step with their texts, where the table is
            too large to hold these; None where the table has them.
    """

    table: pd.DataFrame
    key: str
    source: str
    runs: tuple[str, ...]
    base_runs: tuple[str, ...]
    notes: tuple[str, ...]
    collection: str | None
    python: str = ""
    samples: Callable[[str, int], pd.DataFrame] | None = None


def choose_rollouts(
    name: str, *, collection: str, needs: Sequence[str] = ()
) -> ChosenRollouts | None:
    """The control for the rollouts; None (with what to do) while there are none.

    Args:
        name: of the lab, for the widgets' keys.
        collection: the recorded runs that are shown at first.
        needs: columns without which the lab can show nothing.
    """
    where = st.segmented_control(
        "Rollouts",
        [RECORDED, UPLOAD, FOLDER],
        default=RECORDED,
        key=f"{name}-rollouts",
        required=True,
        persist_state="session",
        help="Recorded runs come with the workbench. Your own may be files of TRL, verl, OpenRLHF, "
        "prime-rl or Inspect, or any table; a folder can be watched while training writes into it.",
    )
    if where == UPLOAD:
        chosen = _own(name, from_upload(name))
    elif where == FOLDER:
        chosen = _own(name, from_folder(name))
    else:
        chosen = _recorded(collection)
    return chosen if chosen is not None and _has(chosen, needs) else None


def _recorded(name: str) -> ChosenRollouts | None:
    try:
        found = recorded_collection(name)
    except WorkbenchError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return None
    outcome = tasks().outcome(
        ("rollouts", "recorded", found.name, _state(found)), lambda: read_rollouts(found.name)
    )
    if not is_there(outcome, f"Reading the recorded runs: {plain(found.title)} …"):
        return None
    return _of_collection(found, outcome.value)


def _state(found: Collection) -> str:
    """Of the files of recorded runs: another one as soon as they were recorded anew."""
    files = sorted(path for path in found.folder.iterdir() if path.is_file())
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return content_id([str(found.folder), states])


def _of_collection(found: Collection, table: pd.DataFrame) -> ChosenRollouts:
    return ChosenRollouts(
        table=table,
        key=content_id(["recorded", found.name, _state(found)]),
        source=found.title,
        runs=tuple(dict.fromkeys(table["run"])),
        base_runs=found.base_runs,
        notes=(),
        collection=found.name,
        python=(
            "from core.rollouts.recorded import read_rollouts\n\n"
            f"rollouts = read_rollouts({found.name!r})"
        ),
    )


def _own(name: str, own: OwnRollouts | None) -> ChosenRollouts | None:
    if own is None:
        return None
    table = own.read.table
    runs = tuple(dict.fromkeys(table["run"]))
    base = _base_runs(name, runs)
    return ChosenRollouts(
        table=table,
        key=content_id([own.key, base]),
        source=own.source,
        runs=runs,
        base_runs=base,
        notes=own.read.checked.notes,
        collection=None,
        python=own.python,
        samples=own.samples,
    )


def _base_runs(name: str, runs: Sequence[str]) -> tuple[str, ...]:
    """Which of several runs are of the untrained policy."""
    if len(runs) < 2:
        return ()
    likely = [run for run in runs if "base" in run.lower()]
    chosen = st.multiselect(
        "Runs of the untrained policy",
        runs,
        likely,
        key=f"{name}-base-{content_id(list(runs))}",
        persist_state="session",
        help="The model before training, sampled with the same budget. Trained runs are compared "
        "with these.",
    )
    return tuple(chosen)


def _has(chosen: ChosenRollouts, needs: Sequence[str]) -> bool:
    """Whether the table has what a lab needs; says what it lacks."""
    table = chosen.table
    lacking = [name for name in needs if name not in table.columns or table[name].isna().all()]
    if not lacking:
        return True
    listed = "; ".join(WORDS.get(name, name.replace("_", " ")) for name in lacking)
    st.warning(
        f"These rollouts do not say what this page needs: {plain(listed)}. "
        f"Add {', '.join(f'`{name}`' for name in lacking)} to the table, or name the column "
        "that holds it.",
        icon=":material/help:",
    )
    return False
