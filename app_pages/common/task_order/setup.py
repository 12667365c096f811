"""What the visitor chose: whose scores, read how, with which numbers changed by hand."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.markup import plain
from core.errors import WorkbenchError
from core.labs.task_order.evaluations import Evaluations, read_evaluations
from core.labs.task_order.measured import STAGES_MEANING, Stages, stage_means, transfer_of
from core.labs.task_order.orders import SCALE_MEANING, SCALES, Scale
from core.labs.task_order.transfer import Transfer
from core.rollouts.recorded import collections, read_table
from core.schema import content_id
from core.stats import FloatArray
from core.tables.files import parse_table

NAME = "task-order"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

COLLECTION = "task-order"
TABLE = "evaluations"

RECORDED, UPLOAD, TYPED, EXAMPLE = "recorded", "upload", "typed", "example"
SOURCES = {
    RECORDED: "Recorded runs",
    UPLOAD: "A table of scores",
    TYPED: "Type the numbers in",
    EXAMPLE: "Worked example of the formula",
}
MOST_TASKS = 12
FILE_HELP = (
    "One row a score: order (tasks joined by >, or joint), stage (0 is untrained, 1 is after the "
    "first task), task (that was tested), score; and where there are any problem_id, seed, "
    "entropy. Checkpoints of a reward model that was fine-tuned on subsets of a benchmark fit as "
    "well: the tasks are then the subsets."
)

one_of = partial(choices.one_of, NAME)

EXAMPLE_TRANSFER = Transfer(
    ("A", "B", "C"),
    np.array([0.50, 0.40, 0.60]),
    np.array([0.70, 0.55, 0.75]),
    np.array([[0.0, 0.02, -0.03], [0.04, 0.0, -0.01], [-0.06, -0.02, 0.0]]),
)


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        source: one of `SOURCES`.
        words: the source in a sentence, for reports.
        measured: the numbers as recorded, or as first offered for typing.
        transfer: the numbers with what the visitor changed.
        evaluations: the scores behind them, None where numbers are typed in.
        stages: which recorded stages feed the matrix.
        scale: how tasks are averaged.
        joint: (K,) scores of joint training, None where there are none.
        left_out: rows that could not be read, by reason.
        key: changes whenever any of this does.
    """

    source: str
    words: str
    measured: Transfer
    transfer: Transfer
    evaluations: Evaluations | None
    stages: Stages
    scale: Scale
    joint: FloatArray | None
    key: str

    @property
    def unit(self) -> str:
        """What the mean over tasks is a mean of."""
        return {
            "raw": "mean score",
            "ceiling": "mean share of the ceiling",
            "z": "mean of standardised scores",
        }[self.scale]

    @property
    def edited(self) -> bool:
        """Whether the visitor changed a number."""
        return not all(
            np.array_equal(getattr(self.measured, name), getattr(self.transfer, name))
            for name in ("before", "saturated", "effects")
        )


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there is nothing to predict from."""
    there = [each.name for each in collections()]
    offered = [*([RECORDED] if COLLECTION in there else []), UPLOAD, TYPED, EXAMPLE]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        source = one_of(
            "Scores from",
            offered,
            "source",
            SOURCES,
            hint="Recorded runs come with the workbench; a table is your own; typed-in numbers and "
            "the example have no runs behind them.",
        )
        scale: Scale = one_of(
            "Average of tasks",
            SCALES,
            "scale",
            {"raw": "raw", "ceiling": "share of ceiling", "z": "z over orders"},
            hint="; ".join(f"{name}: {meaning}" for name, meaning in SCALE_MEANING.items()),
        )
    if RECORDED not in offered:
        st.caption(
            ":material/info: No recorded runs of this experiment are installed. Upload scores, "
            "type numbers in, or look at the example."
        )
    try:
        return (
            _from_scores(source, scale) if source in (RECORDED, UPLOAD) else _typed(source, scale)
        )
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _from_scores(source: str, scale: Scale) -> Setup | None:
    if source == RECORDED:
        evaluations, name = recorded_evaluations(), "recorded runs of the collection task-order"
        key = COLLECTION
    else:
        file = st.file_uploader(
            "Scores by order, stage and task",
            type=["csv", "tsv", "jsonl", "json", "parquet"],
            key=f"{NAME}-file",
            help=FILE_HELP,
        )
        if file is None:
            st.caption(FILE_HELP)
            return None
        data = file.getvalue()
        evaluations, name = _uploaded(data, file.name), f"the uploaded table {file.name}"
        key = content_id([file.name, len(data), hash(data)])
    for note in evaluations.notes:
        st.caption(f":material/info: {plain(note)}")
    stages: Stages = one_of(
        "Matrix from",
        ("first", "not last", "all"),
        "stages",
        {"first": "first stages", "not last": "all but last stages", "all": "all stages"},
        hint="; ".join(f"{which}: {meaning}" for which, meaning in STAGES_MEANING.items()),
    )
    st.caption(f"The matrix is read from {plain(STAGES_MEANING[stages])}.")
    measured = transfer_of(evaluations, stages)
    joint = np.asarray(_mean_joint(evaluations))
    words = f"From {name}: {_counted(evaluations)}."
    return _with_edits(source, words, measured, evaluations, stages, scale, joint, key)


def _counted(evaluations: Evaluations) -> str:
    return (
        f"{len(evaluations.tasks)} tasks, {len(evaluations.full_orders)} complete orders, "
        f"{len(evaluations.seeds)} seeds, {min(evaluations.n_problems)} to "
        f"{max(evaluations.n_problems)} problems a task"
    )


def _mean_joint(evaluations: Evaluations) -> FloatArray:
    means = stage_means(evaluations).joint[0]
    there = np.isfinite(means)
    total = np.where(there, means, 0.0).sum(axis=0)
    return np.where(there.any(axis=0), total / np.maximum(there.sum(axis=0), 1), np.nan)


@st.cache_resource(show_spinner=False)
def recorded_evaluations() -> Evaluations:
    """The scores of the recorded runs, read once."""
    return read_evaluations(read_table(COLLECTION, TABLE))


@st.cache_resource(show_spinner=False, max_entries=8)
def _uploaded(data: bytes, name: str) -> Evaluations:
    table = parse_table(data, name)
    frame = pd.DataFrame([dict(row.cells) for row in table.readable])
    left_out: dict[str, int] = {}
    for row in table.rows:
        if row.problem is not None:
            left_out[row.problem.reason] = left_out.get(row.problem.reason, 0) + 1
    return read_evaluations(frame, left_out=left_out)


def _typed(source: str, scale: Scale) -> Setup | None:
    if source == EXAMPLE:
        words = "Typed-in numbers of a worked example; no run stands behind them."
        st.caption(f":material/info: {words}")
        measured = EXAMPLE_TRANSFER
    else:
        words = "Typed-in numbers."
        names = st.text_input(
            "Tasks",
            "A, B, C",
            key=f"{NAME}-names",
            persist_state="session",
            max_chars=400,
            help=f"Names with commas between, up to {MOST_TASKS}. Up to 8 tasks every order is "
            "computed, beyond the best ones are searched.",
        )
        tasks = tuple(dict.fromkeys(part.strip() for part in (names or "").split(",")))
        tasks = tuple(task for task in tasks if task)[:MOST_TASKS]
        if len(tasks) < 2:
            st.info("Name two tasks or more.", icon=":material/info:")
            return None
        k = len(tasks)
        measured = Transfer(tasks, np.full(k, 0.4), np.full(k, 0.7), np.zeros((k, k)))
    key = content_id([source, list(measured.tasks)])
    return _with_edits(source, words, measured, None, "first", scale, None, key)


def _with_edits(
    source: str,
    words: str,
    measured: Transfer,
    evaluations: Evaluations | None,
    stages: Stages,
    scale: Scale,
    joint: FloatArray | None,
    key: str,
) -> Setup:
    """The editors of the numbers, and the choices with what they hold."""
    opened = evaluations is None
    with st.expander("The numbers behind it (edit any)", icon=":material/edit:", expanded=opened):
        transfer = _editors(measured, content_id([key, stages]))
    told = [value.tolist() for value in (transfer.before, transfer.saturated, transfer.effects)]
    return Setup(
        source=source,
        words=words,
        measured=measured,
        transfer=transfer,
        evaluations=evaluations,
        stages=stages,
        scale=scale,
        joint=joint,
        key=content_id([key, stages, scale, list(transfer.tasks), told]),
    )


def _editors(measured: Transfer, key: str) -> Transfer:
    tasks = list(measured.tasks)
    left, right = st.columns([0.4, 0.6], gap="medium")
    with left:
        st.caption("Score of each task before any training, and right after a stage of its own.")
        levels = st.data_editor(
            pd.DataFrame(
                {"task": tasks, "before": measured.before, "after own stage": measured.saturated}
            ),
            disabled=["task"],
            hide_index=True,
            column_config=_numbers(["before", "after own stage"]),
            key=f"{NAME}-levels-{key}",
        )
    with right:
        st.caption(
            "Change of the column's score by training on the row's task. A task's own cell is not "
            "used. Empty cells count as missing."
        )
        effects = measured.effects.copy()
        np.fill_diagonal(effects, np.nan)
        grid = pd.DataFrame(effects, columns=[f"on {task}" for task in tasks])
        grid.insert(0, "trained on", tasks)
        edited = st.data_editor(
            grid,
            disabled=["trained on"],
            hide_index=True,
            column_config=_numbers(list(grid.columns[1:])),
            key=f"{NAME}-effects-{key}",
        )
    values = edited.iloc[:, 1:].to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(values, np.diag(measured.effects))
    return Transfer(
        measured.tasks,
        levels["before"].to_numpy(dtype=np.float64, copy=True),
        levels["after own stage"].to_numpy(dtype=np.float64, copy=True),
        values,
        measured.bounds,
    )


def _numbers(columns: list[str]) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(plain(name), format="%.3f") for name in columns}
