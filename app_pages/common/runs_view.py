"""Saved runs on a page: the list, one run opened again or two side by side, deleting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.hosting import is_local
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.results_bar import FORMATS, OWN_RUNS
from app_pages.common.section_view import draw_section, draw_sections, readable
from core.errors import WorkbenchError
from core.exports import file_stem, tables_archive
from core.report import Section, run_report, run_sections
from core.runs import Run, RunProblem, delete_run
from core.stats import Estimate
from core.tables.writing import json_ready

FIRST, SECOND = "run", "beside"
"""Keys of the two choices, which are also in the page's link."""

_TABLE = "runs-table"
_MESSAGE = "runs-message"
_ROW_HEIGHT = 35
_SHOWN_ROWS = 6


def runs_table(runs: Sequence[Run]) -> None:
    """The list; a click on one row opens it, on two puts them side by side."""
    st.dataframe(
        list_frame(runs),
        hide_index=True,
        key=_TABLE,
        on_select=_take_selection,
        selection_mode="multi-row",
        height=_ROW_HEIGHT * (1 + min(len(runs), _SHOWN_ROWS)) + 3,
        column_config={"Saved": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        alt="Saved runs, newest first",
    )
    st.session_state["runs-listed"] = [run.id for run in runs]


def list_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """What the list says of each run."""
    return pd.DataFrame(
        {
            "Name": [run.title for run in runs],
            "Kind": [run.kind for run in runs],
            "Saved": pd.to_datetime([run.created for run in runs], utc=True, errors="coerce"),
            "Models": [", ".join(model_ids(run)) for run in runs],
            "Rows": [sum(run.tables.n_rows(name) for name in run.tables) for run in runs],
        }
    )


def model_ids(run: Run) -> list[str]:
    """Ids of the models that gave a run's rewards."""
    models = run.manifest.get("models") or []
    return [str(model.get("id", "")) for model in models if isinstance(model, Mapping)]


def _take_selection() -> None:
    listed: list[str] = st.session_state.get("runs-listed", [])
    rows = st.session_state[_TABLE]["selection"]["rows"]
    chosen = [listed[row] for row in rows[:2] if row < len(listed)]
    st.session_state[FIRST] = chosen[0] if chosen else None
    st.session_state[SECOND] = chosen[1] if len(chosen) > 1 else None


def choose_runs(runs: Sequence[Run]) -> list[Run]:
    """The controls that name one run and another to put beside it; what they name."""
    by_id = {run.id: run for run in runs}
    left, right = st.columns(2)
    with left:
        first = _choice("Open", FIRST, list(by_id), by_id)
    with right:
        others = [name for name in by_id if name != first]
        second = _choice("Beside it", SECOND, others, by_id) if first else None
    return [by_id[name] for name in (first, second) if name]


def _choice(label: str, key: str, names: Sequence[str], by_id: Mapping[str, Run]) -> str | None:
    if st.session_state.get(key) not in (None, *names):
        st.session_state[key] = None
    return st.selectbox(
        label,
        names,
        index=None,
        format_func=lambda name: f"{by_id[name].title} · {_when(by_id[name].created)}",
        placeholder="Choose a run",
        key=key,
        bind="query-params",
    )


def _when(created: str) -> str:
    try:
        return f"{datetime.fromisoformat(created):%d %b %Y, %H:%M} UTC"
    except ValueError:
        return created


def show_one(run: Run) -> None:
    """A run over the page's whole width."""
    _header(run)
    sections = _sections(run)
    if sections is not None:
        draw_sections(sections, f"run-{run.id}")
    _made(run)


def show_two(first: Run, second: Run) -> None:
    """Two runs side by side: parts of the same heading next to each other."""
    pair = (first, second)
    for column, run in zip(st.columns(2, gap="large"), pair, strict=True):
        with column:
            _header(run)
    _differences(first, second)
    both = [_sections(run) for run in pair]
    if any(sections is None for sections in both):
        return
    known = [sections or [] for sections in both]
    _numbers(*known)
    for place, parts in enumerate(side_by_side(*known)):
        for column, run, part in zip(st.columns(2, gap="large"), pair, parts, strict=True):
            with column:
                if part is None:
                    st.caption("Not in this run.")
                else:
                    draw_section(part, f"beside-{run.id}-{place}", columns=1)
    for column, run in zip(st.columns(2, gap="large"), pair, strict=True):
        with column:
            _made(run)


def side_by_side(
    first: Sequence[Section], second: Sequence[Section]
) -> list[tuple[Section | None, Section | None]]:
    """Sections of two reports in rows: those of one heading together, the others alone."""
    headings = dict.fromkeys(section.heading for section in [*first, *second])
    rows: list[tuple[Section | None, Section | None]] = []
    for heading in headings:
        sides = [[part for part in parts if part.heading == heading] for parts in (first, second)]
        rows += zip_longest(*sides)
    return rows


def _sections(run: Run) -> list[Section] | None:
    outcome = tasks().outcome(
        ("run-sections", str(run.folder), run.created), lambda: run_sections(run)
    )
    if not is_there(outcome, f"Opening {plain(run.title)} …"):
        return None
    sections: list[Section] = outcome.value
    return sections


def _header(run: Run) -> None:
    st.markdown(f"#### {plain(run.title)}")
    models = ", ".join(model_ids(run)) or "no model"
    st.caption(plain(f"{run.kind} · saved {_when(run.created)} · {models}"))
    for note in run.notes:
        st.caption(f":material/info: {plain(note)}")
    with st.container(horizontal=True, gap="small"):
        _downloads(run)
        _delete(run.id, run.title)


def _downloads(run: Run) -> None:
    stem = file_stem(run.title)
    st.download_button(
        "HTML report",
        lambda: run_report(run).encode("utf-8"),
        file_name=f"{stem}.html",
        key=f"{run.id}-report",
        icon=":material/description:",
        on_click="ignore",
        help="One file that opens in any browser without this app.",
    )
    for label, suffix in FORMATS.items():
        st.download_button(
            label,
            lambda suffix=suffix: tables_archive(run.tables, suffix, run.manifest),
            file_name=f"{stem}-{label.lower()}.zip",
            key=f"{run.id}-{label.lower()}",
            icon=":material/table:",
            on_click="ignore",
            help=f"All {len(run.tables)} tables as {label}, with the manifest, in one ZIP file.",
        )


def _delete(run_id: str, title: str) -> None:
    """The button that asks before it deletes; on a shared server only for one's own runs."""
    if not is_local() and run_id not in st.session_state.get(OWN_RUNS, set()):
        return
    with st.popover("Delete", icon=":material/delete:", key=f"{run_id}-delete"):
        st.markdown(f"Delete **{plain(title)}** for good, with its tables and manifest?")
        st.button(
            "Delete for good",
            key=f"{run_id}-delete-now",
            type="primary",
            on_click=_delete_now,
            args=(run_id, title),
        )


def _delete_now(run_id: str, title: str) -> None:
    try:
        delete_run(run_id)
    except WorkbenchError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
        return
    for key in (FIRST, SECOND):
        if st.session_state.get(key) == run_id:
            st.session_state[key] = None
    st.session_state[_MESSAGE] = ("done", f"{title} is deleted.")


def show_message() -> None:
    """What the last deletion came to, once."""
    kind, text = st.session_state.pop(_MESSAGE, ("", ""))
    if kind == "error":
        st.error(plain(text), icon=":material/error:")
    elif text:
        st.caption(f":material/check: {plain(text)}")


def damaged(problems: Sequence[RunProblem]) -> None:
    """Runs that cannot be opened: which, why, and a way to be rid of them."""
    if not problems:
        return
    with st.expander(
        f"{len(problems)} saved {'run' if len(problems) == 1 else 'runs'} cannot be opened",
        icon=":material/warning:",
    ):
        for problem in problems:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(problem.path.name)}** · {plain(problem.message)}")
                _delete(problem.path.name, problem.path.name)


def _differences(first: Run, second: Run) -> None:
    found = differences(first, second)
    if not len(found):
        st.caption(":material/equal: Made with the same choices, models and versions.")
        return
    with st.expander(f"What differs in how they were made · {len(found)}", expanded=True):
        st.dataframe(found, hide_index=True, key="runs-differences")


def differences(first: Run, second: Run) -> pd.DataFrame:
    """Choices, models and versions in which two runs differ: what, and its value in each."""
    facts = [_facts(run) for run in (first, second)]
    names = dict.fromkeys([*facts[0], *facts[1]])
    rows = [
        (name, facts[0].get(name, "–"), facts[1].get(name, "–"))
        for name in names
        if facts[0].get(name) != facts[1].get(name)
    ]
    return pd.DataFrame(rows, columns=["What", "Left", "Right"])


def _numbers(first: Sequence[Section], second: Sequence[Section]) -> None:
    found = numbers_side_by_side(first, second)
    if len(found):
        st.markdown("##### The same numbers in both")
        st.caption(
            "Intervals as each run saved them. They say nothing about the difference itself: for "
            "that, have the Compare page score one table with both models, and test the pairs."
        )
        st.dataframe(readable(found), hide_index=True, key="runs-numbers")


def numbers_side_by_side(first: Sequence[Section], second: Sequence[Section]) -> pd.DataFrame:
    """Estimates that both reports have: heading, what it is, value and interval of each."""
    told = [
        {
            (section.heading, what): estimate
            for section in sections
            for what, estimate in section.estimates.items()
        }
        for sections in (first, second)
    ]
    rows = [
        {
            "Part": key[0],
            "What": key[1],
            "Left": told[0][key].value,
            "Left interval": _interval(told[0][key]),
            "Right": told[1][key].value,
            "Right interval": _interval(told[1][key]),
        }
        for key in told[0]
        if key in told[1]
    ]
    return pd.DataFrame(rows)


def _interval(estimate: Estimate) -> str:
    return (
        f"{estimate.low:.3f} to {estimate.high:.3f} ({100 * estimate.confidence:g} %, "
        f"n = {estimate.n:,}, {estimate.n_prompts:,} prompts)"
    )


def _facts(run: Run) -> dict[str, str]:
    """What decided a run's numbers, one text a fact."""
    manifest = run.manifest
    models = {f"model {place + 1}": model for place, model in enumerate(manifest.get("models", []))}
    parts: dict[str, Any] = {
        "kind": run.kind,
        "option": run.options,
        "version of": manifest.get("versions", {}),
        "seed": manifest.get("seed"),
        "platform": manifest.get("platform", ""),
        **models,
    }
    return dict(_flat("", parts))


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [
            item for key, inner in value.items() for item in _flat(f"{name} {key}".strip(), inner)
        ]
    return [(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]


def _made(run: Run) -> None:
    box = st.expander(
        "How it was made", icon=":material/code:", key=f"{run.id}-made", on_change="rerun"
    )
    with box:
        if not box.open:
            return
        if run.python:
            st.caption("The same numbers from a script or notebook.")
            st.code(run.python, language="python", wrap_lines=True)
        st.caption("What was chosen.")
        st.json(json_ready(run.options), expanded=False)
        st.caption("The manifest: what gave the numbers.")
        st.json(json_ready(run.manifest), expanded=False)
