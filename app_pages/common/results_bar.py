"""What a visitor takes along from a lab: a saved run, a report, the tables, the Python of it.

Nothing here waits: files are made when they are clicked, and a run is saved in the background.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import Outcome, look_again, tasks
from app_pages.common.hosting import is_local
from app_pages.common.markup import plain
from app_pages.common.service import reward_service
from core.exports import file_stem, tables_archive
from core.manifest import Manifest, make_manifest, model_record
from core.report import build_report, result_sections
from core.runs import Run, RunError, list_runs, save_run
from core.schema import content_id
from core.settings import load_settings
from core.tables.writing import json_ready

RUNS_PAGE = "app_pages/results/runs.py"
FORMATS = {"CSV": ".csv", "JSON": ".json", "Parquet": ".parquet"}
NAME_LENGTH = 120
OWN_RUNS = "own-runs"
"""Where the session state keeps the ids of the runs this visitor saved."""

SHARED = "This server is shared: everyone who opens it sees what is saved here."


@dataclass(frozen=True)
class _Shown:
    """A result as it is on screen: what is saved and exported is this and nothing newer."""

    kind: str
    title: str
    tables: Mapping[str, pd.DataFrame]
    options: Mapping[str, Any]
    models: Sequence[str]
    python: str
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def key(self) -> str:
        """Changes whenever what is on screen does."""
        tables = {name: _fingerprint(frame) for name, frame in self.tables.items()}
        told = [self.kind, self.title, json_ready(self.options), list(self.models), self.python]
        return content_id([told, list(self.notes), tables])

    def manifest(self) -> Manifest:
        """What gave the numbers; asks each model, which may have to be loaded for it."""
        records = [model_record(reward_service().model(name)) for name in self.models]
        seed = self.options.get("seed")
        rows = {name: len(frame) for name, frame in self.tables.items()}
        return make_manifest(
            self.kind,
            records,
            seed=seed if isinstance(seed, int) else None,
            details={"options": dict(self.options), "rows": rows},
        )


def results_bar(
    *,
    kind: str,
    title: str,
    tables: Mapping[str, pd.DataFrame],
    options: Mapping[str, object],
    models: Sequence[str],
    python: str,
    notes: Sequence[str] = (),
) -> None:
    """Draws what can be done with a result: save it, report it, export it, have it from Python.

    Args:
        kind: what made it; decides how its report looks (`core.report.register_report`).
        title: what it is called unless the visitor names it otherwise.
        tables: the result's tables by name, enough to draw its figures again. Their index is not
            kept.
        options: JSON-like values: what was chosen. `seed` goes into the manifest.
        models: ids of the models that gave the rewards.
        python: the lines that give the numbers again.
        notes: what a reader must know, such as what was left out.
    """
    flat = {name: frame.reset_index(drop=True) for name, frame in tables.items()}
    shown = _Shown(kind, title, flat, json_ready(options), list(models), python, tuple(notes))
    st.markdown("##### Take it along")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input(
            "Name of the run",
            shown.title[:NAME_LENGTH],
            max_chars=NAME_LENGTH,
            key=f"{kind}-run-name-{content_id(shown.title)}",
            help="What it is called in the list of saved runs and at the top of its report.",
        )
        titled = (name or "").strip()[:NAME_LENGTH] or shown.title
        _save_button(shown, titled)
        _download(
            "HTML report",
            lambda: report_bytes(shown, titled),
            file_stem(titled) + ".html",
            key=f"{kind}-report",
            icon="description",
            about="One file that opens in any browser without this app: figures live, tables "
            "sortable, with what gave the numbers and the Python for them.",
        )
        for label, suffix in FORMATS.items():
            _download(
                label,
                lambda suffix=suffix: tables_archive(shown.tables, suffix, shown.manifest()),
                f"{file_stem(titled)}-{label.lower()}.zip",
                key=f"{kind}-{label.lower()}",
                icon="table",
                about=f"All {len(flat)} tables as {label} in one ZIP file, with the manifest: "
                "models, revisions, number formats, versions and seed.",
            )
    _saved_notice(shown)
    with st.expander("Show as Python", icon=":material/code:"):
        st.code(python, language="python", wrap_lines=True)


def report_bytes(shown: _Shown, title: str) -> bytes:
    """The report of what is on screen, as one HTML file."""
    text = build_report(
        result_sections(shown.kind, shown.tables, shown.options),
        shown.manifest(),
        shown.python,
        title,
        notes=shown.notes,
        options=shown.options,
        subtitle=shown.kind,
    )
    return text.encode("utf-8")


def _download(
    label: str, content: Callable[[], bytes], file_name: str, *, key: str, icon: str, about: str
) -> None:
    st.download_button(
        label,
        content,
        file_name=file_name,
        key=key,
        icon=f":material/{icon}:",
        help=about,
        on_click="ignore",
    )


def _save_button(shown: _Shown, title: str) -> None:
    st.button(
        "Save as run",
        key=f"{shown.kind}-save",
        icon=":material/save:",
        help="Keeps tables, choices and manifest; the page Saved runs opens it again, also beside "
        f"another one.{'' if is_local() else ' ' + SHARED}",
        on_click=_save,
        args=(shown, title),
    )


def _save(shown: _Shown, title: str) -> None:
    """Starts saving, from the button."""
    key = ("save-run", uuid.uuid4().hex)
    st.session_state[f"{shown.kind}-saved"] = (shown.key, key)
    most = None if is_local() else load_settings().max_saved_runs
    tasks().outcome(key, lambda: _written(shown, title, most))


def _written(shown: _Shown, title: str, most: int | None) -> Run:
    if most is not None and len(list_runs().runs) >= most:
        raise RunError(
            f"This server keeps {most:,} runs, and they are there.",
            fix="Delete one of yours on the page Saved runs, or take the HTML report instead.",
        )
    return save_run(
        shown.kind,
        title,
        shown.tables,
        shown.manifest(),
        shown.options,
        python=shown.python,
        notes=shown.notes,
    )


def _saved_notice(shown: _Shown) -> None:
    saved: tuple[str, tuple[str, str]] | None = st.session_state.get(f"{shown.kind}-saved")
    if saved is None or saved[0] != shown.key:
        return
    outcome: Outcome | None = tasks().known(saved[1])
    if outcome is None:
        return
    if outcome.state == "running":
        st.caption(":material/hourglass_empty: Saving …")
        look_again()
    elif outcome.state == "failed":
        st.error(plain(outcome.error), icon=":material/error:")
    else:
        run: Run = outcome.value
        st.session_state.setdefault(OWN_RUNS, set()).add(run.id)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/check: Saved as {plain(run.title)}.", width="content")
            st.page_link(
                RUNS_PAGE,
                label="Open it in Saved runs",
                icon=":material/folder_open:",
                query_params={"run": run.id},
            )


def _fingerprint(frame: pd.DataFrame) -> list[object]:
    """Rows, columns and a hash of the numbers: enough to tell two results of one lab apart."""
    numbers = frame.select_dtypes(["number", "bool"])
    total = int(pd.util.hash_pandas_object(numbers, index=False).sum()) if len(numbers) else 0
    return [len(frame), [str(name) for name in frame.columns], total]
