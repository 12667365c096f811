"""Following a job in a terminal: a bar, the rate, the remaining time, and Ctrl-C."""

import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from core.engine.jobs import Progress, ScoreJob

Outcome = Literal["ended", "interrupted", "error"]

REFRESH_S = 0.2
CHECK_S = 2.0
"""How often all rows are looked through for errors, where one error ends the run."""


def follow(job: "ScoreJob", *, stop_at_error: bool = False) -> Outcome:
    """Shows a job's progress on stderr until it ends.

    Args:
        job: the job; Ctrl-C cancels it and keeps its rows.
        stop_at_error: cancel it at the first row with an error.

    Returns:
        "interrupted" after Ctrl-C, "error" when an error stopped it, otherwise "ended".
    """
    outcome: Outcome = "ended"
    next_check = time.monotonic()
    with _bar() as bar:
        task = bar.add_task(job.model, total=job.total, rate="", remaining="")
        try:
            while not job.wait(REFRESH_S):
                _show(bar, task, job.progress())
                if stop_at_error and time.monotonic() >= next_check:
                    next_check = time.monotonic() + CHECK_S
                    if _has_error(job):
                        job.cancel()
        except KeyboardInterrupt:
            outcome = "interrupted"
            job.cancel()
        _show(bar, task, job.progress())
    if stop_at_error and outcome == "ended" and _has_error(job):
        outcome = "error"
    return outcome


def _has_error(job: "ScoreJob") -> bool:
    return any(row.error for row in job.rows())


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[remaining]}", markup=False),
        console=Console(stderr=True),
    )


def _show(bar: "Bar", task: int, progress: "Progress") -> None:
    from rich.progress import TaskID

    rate = f"{progress.rate_per_s:.1f}/s" if progress.rate_per_s > 0 else ""
    bar.update(
        TaskID(task),
        completed=progress.done,
        rate=rate if progress.done < progress.total else f"{progress.n_cached:,} from the cache",
        remaining=remaining_text(progress),
    )


def remaining_text(progress: "Progress") -> str:
    """The state, or while it runs the time left ("1:05 left")."""
    if progress.state != "running":
        return progress.state
    if progress.remaining_s is None:
        return "starting"
    minutes, seconds = divmod(round(progress.remaining_s), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{clock} left"
