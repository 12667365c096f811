"""Solutions of a visitor's own file, with the file's step scores or a process model's."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.choices import one_of
from app_pages.common.lab_run import is_there
from app_pages.common.other_rewards.item_run import read_items
from app_pages.common.other_rewards.work import NAME
from app_pages.common.pair_choice import FILE_TYPES, SHOWN_PROBLEMS, kept_upload
from app_pages.common.service import reward_service
from core.errors import TableError
from core.models.process import ProcessRewardModel, StepRewards
from core.schema import content_id
from core.solution_files import FORM, Solution, SolutionFile, read_solutions, scores_table

EXAMPLE = """\
{"id": "1", "problem": "2 and 3, twice?", "steps": ["2 + 3 = 5", "5 * 2 = 12"], "label": 1}
{"id": "2", "problem": "4 and 4?", "steps": ["4 + 4 = 8"], "label": -1, "scores": [0.93]}"""
MOST_SOLUTIONS = 40
"""Solutions a model reads at first; the visitor may take more."""

FILE, MODEL = "file", "model"
SCORES = {FILE: "The file's own", MODEL: "The model above"}


@dataclass(frozen=True)
class OwnSolutions:
    """Solutions of a file with step scores.

    Attributes:
        words: where solutions and scores come from.
        table: for `core.labs.process.benchmark`.
        shown: the solutions of the table, in its order.
        readings: of a model, in the same order; empty for scores of the file.
        python: the lines that give `table` in a script.
        key: changes whenever the table does.
    """

    words: str
    table: pd.DataFrame
    shown: list[Solution]
    readings: list[StepRewards]
    python: str
    key: str


def own_solutions(model: str) -> OwnSolutions | None:
    """The controls for a file and its scores, the run, and what came out of it."""
    file = st.file_uploader(
        "Solutions with their first wrong step", FILE_TYPES, key=f"{NAME}-process-file", help=FORM
    )
    kept = kept_upload(f"{NAME}-process", None if file is None else (file.getvalue(), file.name))
    if kept is None:
        st.caption(f"ProcessBench's columns, as JSON lines, JSON, CSV or Parquet. {FORM}")
        st.code(EXAMPLE, language="json", wrap_lines=True)
        return None
    data, name = kept
    key = content_id([name, hash(data)])
    outcome = tasks().outcome((NAME, "solutions", key), lambda: read_solutions(data, name))
    if not is_there(outcome, "Reading the file …"):
        return None
    given: SolutionFile = outcome.value
    _problems(given)
    ways = [way for way, has in ((FILE, given.scored), (MODEL, given.readable)) if has]
    way = one_of(
        NAME,
        "Step scores",
        ways,
        "process-scores",
        SCORES,
        hint="Scores in the file need no model; texts are read by the process model above.",
    )
    if way == FILE:
        solutions = list(given.scored)
        words = f"{name}: {len(solutions)} solutions with the file's scores."
        return OwnSolutions(
            words, scores_table(solutions), solutions, [], _python(name), f"{key}-file"
        )
    return _by_model(model, name, key, given)


def _by_model(model: str, name: str, key: str, given: SolutionFile) -> OwnSolutions | None:
    readable = given.readable
    n = len(readable)
    if n > 1:
        n = int(
            st.number_input(
                "How many solutions",
                1,
                len(readable),
                min(MOST_SOLUTIONS, len(readable)),
                key=f"{NAME}-process-n",
                help="The first ones of the file.",
            )
        )
    solutions = readable[:n]
    key = content_id([key, model, n])
    read = read_items(
        "process",
        key,
        "Score the solutions",
        [f"{given.unit} {each.row}" for each in solutions],
        lambda position: _read(model, solutions[position]),
    )
    if read is None:
        return None
    done = sorted(read.done)
    scores = {position: read.done[position].scores.tolist() for position in done}
    words = f"{name}: {len(done)} of {len(readable)} solutions, scored by {model}."
    return OwnSolutions(
        words,
        scores_table(solutions, scores),
        [solutions[position] for position in done],
        [read.done[position] for position in done],
        _python(name, model, n),
        content_id([key, done]),
    )


def _read(model: str, solution: Solution) -> StepRewards:
    def read(loaded: object) -> StepRewards:
        if not isinstance(loaded, ProcessRewardModel):
            raise TableError(f"{model} scores no steps.")
        return loaded.score_steps([{"role": "user", "content": solution.prompt}], solution.steps)

    return reward_service().exclusive(model, read)


def _problems(given: SolutionFile) -> None:
    if not given.problems:
        return
    rows = {problem.row for problem in given.problems}
    with st.expander(f"{len(rows):,} rows left out, {len(given.solutions):,} used"):
        for problem in given.problems[:SHOWN_PROBLEMS]:
            st.text(str(problem))
        if len(given.problems) > SHOWN_PROBLEMS:
            st.caption(f"… and {len(given.problems) - SHOWN_PROBLEMS} more")


def _python(name: str, model: str = "", n: int = 0) -> str:
    lines = [
        "from pathlib import Path",
        "",
        "from core.solution_files import read_solutions, scores_table",
        "",
        f"given = read_solutions(Path({name!r}).read_bytes(), {name!r})",
    ]
    if not model:
        return "\n".join([*lines, "table = scores_table(given.scored)"])
    return "\n".join(
        [
            *lines[:2],
            "from core.engine.service import get_service",
            *lines[2:],
            f"model = get_service().model({model!r})",
            "scores = {}",
            f"solutions = given.readable[:{n}]",
            "for position, each in enumerate(solutions):",
            '    turns = [{"role": "user", "content": each.prompt}]',
            "    scores[position] = model.score_steps(turns, each.steps).scores",
            "table = scores_table(solutions, scores)",
        ]
    )
