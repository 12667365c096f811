"""Recorded judgements that come with the package, and judgements out of one's own files.

A recording is a folder of `data/judgements`: `card.yaml` says which judge was asked and how,
`judgements.parquet` holds what it wrote, `items.parquet` what it was asked about.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from core.errors import TableError
from core.labs.reasoning.judgements import Judgements, check_judgements
from core.paths import data_folder
from core.tables.files import parse_table

JUDGEMENTS, ITEMS = "judgements.parquet", "items.parquet"


@dataclass(frozen=True)
class RecordedJudgements:
    """One recording.

    Attributes:
        name: its folder's name.
        title: in a few words.
        description: which judge was asked about what, and how.
        command: what makes it again.
        findings: what came out, a sentence each, whether or not it agrees with the papers.
        folder: where it lies.
        told: all that its card says.
    """

    name: str
    title: str
    description: str
    command: str
    findings: tuple[str, ...]
    folder: Path
    told: Mapping[str, Any] = field(default_factory=dict, compare=False)


def judgements_folder() -> Path:
    """The folder that holds the recordings."""
    return data_folder() / "judgements"


@cache
def recorded_judgements() -> tuple[RecordedJudgements, ...]:
    """All recordings, by name; a folder without its two tables is none."""
    found = []
    for path in sorted(judgements_folder().glob("*/card.yaml")):
        folder = path.parent
        if (folder / JUDGEMENTS).is_file() and (folder / ITEMS).is_file():
            found.append(_read_card(path))
    return tuple(found)


def recording(name: str) -> RecordedJudgements:
    """One recording.

    Raises:
        TableError: when there is none of that name; says which there are.
    """
    for each in recorded_judgements():
        if each.name == name:
            return each
    listed = ", ".join(each.name for each in recorded_judgements()) or "none"
    raise TableError(f"There are no recorded judgements called {name!r}.", fix=f"There: {listed}.")


def read_judgements(name: str) -> Judgements:
    """The judgements and items of a recording, checked.

    Raises:
        TableError: when there is no such recording, or nothing of it can be used.
    """
    found = recording(name)
    return check_judgements(
        pd.read_parquet(found.folder / JUDGEMENTS), pd.read_parquet(found.folder / ITEMS)
    )


def frame_of(data: bytes, name: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """A file's rows as a table, and the rows that could not be read, by reason.

    Args:
        data: its content.
        name: its name, whose ending tells the format (CSV, JSON, JSON lines, Parquet).

    Raises:
        TableError: when nothing of it can be read.
    """
    table = parse_table(data, name)
    frame = pd.DataFrame([dict(row.cells) for row in table.readable], dtype=object)
    reasons = Counter(row.problem.reason for row in table.rows if row.problem is not None)
    return frame, dict(reasons)


def read_judgement_files(
    judgements: bytes,
    name: str,
    items: bytes | None = None,
    items_name: str = "",
    *,
    as_shown: bool = False,
    format_name: str = "",
) -> Judgements:
    """Judgements of one's own file, with the items beside them or in a second file.

    Args:
        judgements: content of the file of judgements.
        name: its name.
        items: content of the file of items, where there is one.
        items_name: its name.
        as_shown: verdicts and scores are by position instead of by the candidates' own letters.
        format_name: the judging format by which verdicts are read out of the raw texts again.

    Raises:
        TableError: when nothing can be used; says what is wrong and where.
    """
    frame, left_out = frame_of(judgements, name)
    if format_name:
        frame, as_shown = reread(frame, format_name), True
    given, lost = frame_of(items, items_name) if items is not None else (None, {})
    left_out |= {f"items: {reason}": n for reason, n in lost.items()}
    return check_judgements(frame, given, as_shown=as_shown, left_out=left_out)


def _read_card(path: Path) -> RecordedJudgements:
    told = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return RecordedJudgements(
        name=path.parent.name,
        title=str(told.get("title", path.parent.name)),
        description=str(told.get("description", "")),
        command=str(told.get("command", "")),
        findings=tuple(str(each) for each in told.get("findings", ())),
        folder=path.parent,
        told=told,
    )


def reread(judgements: pd.DataFrame, format_name: str) -> pd.DataFrame:
    """Reads verdicts and scores out of the raw texts again, by a judging format.

    The result is by position: check it with `as_shown=True`.

    Args:
        judgements: needs the column `raw` (or `output`, `completion`, `judgement`), and `order`
            where more or fewer than two candidates were shown.
        format_name: one of `core.models.judges.FORMATS`.

    Raises:
        TableError: when there is no such format or no column of texts.
    """
    from core.models.judges.formats import FORMATS

    form = next((each for name, each in FORMATS.items() if name == format_name), None)
    if form is None:
        raise TableError(
            f"There is no judging format {format_name!r}.", fix=f"There are {', '.join(FORMATS)}."
        )
    columns = ("raw", "output", "completion", "judgement", "judgment")
    name = next((each for each in columns if each in judgements.columns), None)
    if name is None:
        raise TableError("The table has no column with what the judge wrote.", fix="Call it raw.")
    orders = judgements["order"] if "order" in judgements.columns else [None] * len(judgements)
    readings = [
        form.read(text if isinstance(text, str) else "", _shown(order, form.candidates))
        for text, order in zip(judgements[name], orders, strict=True)
    ]
    return judgements.assign(
        verdict=pd.Series([each.verdict for each in readings], judgements.index, dtype=object),
        scores=pd.Series(
            [None if each.scores is None else list(each.scores) for each in readings],
            judgements.index,
            dtype=object,
        ),
        problem=[each.problem for each in readings],
        format=format_name,
    )


def _shown(order: object, candidates: str) -> int:
    """Candidates that were shown: the letters of the order, or what the format is for."""
    if isinstance(order, str) and order.isupper():
        return len(order)
    return 1 if candidates == "one" else 2
