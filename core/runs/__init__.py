"""Results saved as runs: one folder each, with tables, manifest, options and the Python of it."""

from core.runs.store import (
    FORMAT,
    Run,
    RunProblem,
    SavedRuns,
    delete_run,
    list_runs,
    load_run,
    open_run,
    save_run,
)
from core.runs.tables import RunError, RunTables

__all__ = [
    "FORMAT",
    "Run",
    "RunError",
    "RunProblem",
    "RunTables",
    "SavedRuns",
    "delete_run",
    "list_runs",
    "load_run",
    "open_run",
    "save_run",
]
