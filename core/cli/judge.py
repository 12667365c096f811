"""`reward-workbench judge`: items and judges in, a table of judgements out."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from core.engine.judgements import Judged, JudgementStore, Progress
    from core.models.judges import Item, JudgeRewardModel

SAY_EVERY_S = 5.0
"""How often a line of progress is printed."""


def judge(
    items_file: Annotated[
        Path,
        typer.Option(
            "--items",
            "-i",
            help="JSONL, JSON, CSV or Parquet file with the columns item_id, prompt and responses "
            "(a list of texts); best, subset and source may be there.",
        ),
    ],
    judges: Annotated[
        list[str],
        typer.Option("--judge", "-j", help="Card of a judge; may be repeated."),
    ],
    output_file: Annotated[
        Path,
        typer.Option("--output", "-o", help="CSV, JSONL, JSON or Parquet file to write."),
    ],
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Judgements of each item and order, in place of the card's."),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(help="text or log-probability, in place of the card's."),
    ] = None,
    store_file: Annotated[
        Path | None,
        typer.Option("--store", help="Where texts are kept; by default the cache folder."),
    ] = None,
) -> None:
    """Ask judges about items, in every order, and write their judgements.

    What was written once is kept and never asked for again, so a run that was stopped goes on
    where it ended. Exit status: 0 all judgements are there (unreadable ones too: they are counted
    and keep their text), 2 nothing could be done, 130 stopped by Ctrl-C.
    """
    from core.engine.judgements import STORE_FILE, JudgementStore
    from core.models.judges import items_from_table
    from core.paths import cache_folder
    from core.tables import check_output

    check_output(output_file)
    items = items_from_table(_items_table(items_file))
    store = JudgementStore(store_file or cache_folder() / STORE_FILE)
    stopped: list[bool] = []
    tables = []
    for name in dict.fromkeys(judges):
        found = _judged(name, items, store, samples, verdict, stopped)
        tables.append(found.table)
        _report(name, found)
        if stopped:
            break
    _write(tables, output_file, unfinished=bool(stopped))


def _items_table(path: Path) -> "pd.DataFrame":
    import pandas as pd

    from core.tables import read_table

    if path.suffix.lower() == ".parquet" and path.is_file():
        return pd.read_parquet(path)
    return pd.DataFrame([dict(row.cells) for row in read_table(path).readable])


def _judged(
    name: str,
    items: "list[Item]",
    store: "JudgementStore",
    samples: int | None,
    verdict: str | None,
    stopped: list[bool],
) -> "Judged":
    from core.engine.judgements import judge_items

    typer.echo(f"Loading {name} ...", err=True)
    asked = _load(name).judge
    if verdict is not None:
        asked = asked.changed(verdict=verdict)
    with _ctrl_c(stopped):
        return judge_items(
            asked,
            items,
            store=store,
            samples=samples,
            should_stop=lambda: bool(stopped),
            progress=_teller(name),
        )


def _load(name: str) -> "JudgeRewardModel":
    from core.errors import ModelLoadError
    from core.models.catalogue import load_card
    from core.models.judges import load_judge
    from core.settings import load_settings

    card = load_card(name)
    if card.family != "judge":
        raise ModelLoadError(
            f"{name} is no judge.", fix="Name a card of family judge (see: models list)."
        )
    return load_judge(card, device=load_settings().device)


class _ctrl_c:  # noqa: N801 - reads as a word where it is used
    """Turns Ctrl-C into a note, so that the texts that are whole are kept."""

    def __init__(self, stopped: list[bool]) -> None:
        self._stopped = stopped

    def __enter__(self) -> None:
        import signal

        self._old = signal.signal(signal.SIGINT, lambda _number, _frame: self._stopped.append(True))

    def __exit__(self, *_error: object) -> None:
        import signal

        signal.signal(signal.SIGINT, self._old)


def _teller(name: str) -> "Callable[[Progress], None]":
    told = [0.0]

    def tell(progress: "Progress") -> None:
        now = time.monotonic()
        if now - told[0] < SAY_EVERY_S and progress.done < progress.total:
            return
        told[0] = now
        left = "" if progress.remaining_s is None else f", {progress.remaining_s:,.0f} s left"
        rate = f", {progress.tokens_per_s:.0f} tokens/s" if progress.tokens_per_s > 0 else ""
        typer.echo(f"{name}: {progress.done:,} of {progress.total:,}{rate}{left}", err=True)
        sys.stderr.flush()

    return tell


def _report(name: str, found: "Judged") -> None:
    n = len(found.table)
    unread = int((found.table["problem"] != "").sum())
    share = f" ({unread / n:.1%})" if n else ""
    typer.echo(
        f"{name}: {n:,} of {found.n_wanted:,} judgements, {found.n_known:,} of them known before; "
        f"{unread:,} could not be read{share}"
    )


def _write(tables: "list[pd.DataFrame]", path: Path, *, unfinished: bool) -> None:
    import pandas as pd

    from core.tables import write_table

    table = pd.concat([each for each in tables if len(each)] or tables[:1], ignore_index=True)
    write_table(table, path)
    note = "unfinished, run again to go on: " if unfinished else ""
    typer.echo(f"{note}{len(table):,} judgements in {path}")
    if unfinished:
        raise typer.Exit(130)


__all__: list[str] = ["judge"]
