"""Which function tells which kind of saved run, and the report of a saved run."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from core.errors import WorkbenchError
from core.report.build import build_report
from core.report.section import Section
from core.runs import Run

ReportBuilder = Callable[[Mapping[str, pd.DataFrame], Mapping[str, Any]], Sequence[Section]]
"""Turns a run's tables and options into sections."""

_BUILDERS: dict[str, ReportBuilder] = {}


def register_report(kind: str, builder: ReportBuilder) -> None:
    """Makes `builder` tell the runs of a kind.

    Call it in a module of `core.report.kinds`, where it is found without further ado.

    Args:
        kind: the kind that the runs were saved with.
        builder: takes the run's tables by name (read when asked for) and its options.

    Raises:
        ValueError: when another builder already tells this kind.
    """
    known = _BUILDERS.get(kind)
    if known is not None and known is not builder:
        raise ValueError(f"Runs of kind {kind!r} are already told by {known.__qualname__}.")
    _BUILDERS[kind] = builder


def report_kinds() -> list[str]:
    """The kinds of run that have a report of their own."""
    _import_kinds()
    return sorted(_BUILDERS)


def run_sections(run: Run) -> list[Section]:
    """What a report of this run says; see `result_sections`."""
    return result_sections(run.kind, run.tables, run.options)


def result_sections(
    kind: str, tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> list[Section]:
    """What a report of a result says, saved or not.

    A run saved by an older workbench may lack what the builder of today looks for. Its tables are
    shown all the same, with a note that says why there is nothing more.

    Args:
        kind: what made the result; decides who tells it.
        tables: its tables by name.
        options: what the caller chose, as JSON-like values.
    """
    _import_kinds()
    builder = _BUILDERS.get(kind)
    if builder is None:
        return all_tables(tables, options)
    try:
        return list(builder(tables, options))
    except (LookupError, ValueError, TypeError, WorkbenchError) as error:
        note = (
            f"The report of kind {kind} could not be drawn from this run "
            f"({type(error).__name__}: {error}); these are its tables."
        )
        return [Section("Why there are no figures", notes=[note]), *all_tables(tables, {})]


def all_tables(
    tables: Mapping[str, pd.DataFrame],
    options: Mapping[str, Any],  # noqa: ARG001 - every builder takes them
) -> list[Section]:
    """The report of a run whose kind has none of its own: every table."""
    return [
        Section(
            heading=name.replace("_", " ").replace("-", " ").strip().capitalize() or "Table",
            tables={name: frame},
        )
        for name, frame in tables.items()
    ]


def run_report(run: Run) -> str:
    """The report of a saved run as one HTML file's text."""
    return build_report(
        run_sections(run),
        run.manifest,
        run.python,
        run.title,
        notes=run.notes,
        options=run.options,
        subtitle=f"{run.kind}, saved {run.created}, run {run.id}",
    )


@cache
def _import_kinds() -> None:
    from core.report import kinds

    for module in pkgutil.iter_modules(kinds.__path__):
        importlib.import_module(f"{kinds.__name__}.{module.name}")
