"""Tables of judgements and of the items judged: checked row by row, made one shape.

One row of judgements is one text that one judge wrote about one item in one order
(`core.schema.JUDGEMENT_COLUMNS`); one row of items is one prompt with its candidates
(`core.schema.ITEM_COLUMNS`). A table of one's own may hold both in one: what is known of the item
(`best`, `subset`, `prompt`, `responses`) then stands in the rows of its judgements.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError
from core.schema import ITEM_COLUMNS, JUDGEMENT_COLUMNS, describe_type

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TIE = "tie"
UNREAD = "verdict could not be read"
SHOWN_PROBLEMS = 200

TEMPERATURE = "temperature"
SCALAR_REWARDS = "scalar_rewards"
"""Optional column of items: rewards of a scalar model, one a candidate, in their own order."""

_SYNONYMS = {
    "uid": "item_id",
    "id": "item_id",
    "prompt_id": "item_id",
    "problem_id": "item_id",
    "model": "judge",
    "gold": "best",
    "gold_winner": "best",
    "label": "best",
    "winner": "verdict",
    "category": "subset",
    "domain": "subset",
    "output": "raw",
    "completion": "raw",
    "judgement": "raw",
    "judgment": "raw",
    "tokens": "n_tokens",
}
_DEFAULTS: dict[str, Any] = {
    "judge": "judge",
    "order": None,
    "format": "",
    "verdict": None,
    "scores": None,
    "confidence": np.nan,
    "mass": np.nan,
    "meta_score": np.nan,
    "n_tokens": np.nan,
    "truncated": False,
    "seed": 0,
    "raw": "",
    "problem": "",
}
_OF_ITEMS = ("best", "best_index", "subset", "prompt", "responses", "source", SCALAR_REWARDS)
_SHOWN = re.compile(r"^(?:\[*\s*|model[_ ]|response[_ ]|assistant[_ ])?([A-Za-z])\s*\]*$")


@dataclass(frozen=True)
class RowProblem:
    """A row that could not be used, or a cell that was taken as missing."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"row {self.row}{column}: {self.message}"


@dataclass(frozen=True)
class Judgements:
    """Judgements that were checked.

    Attributes:
        table: one row a judgement, `JUDGEMENT_COLUMNS` and `temperature` (NaN where unknown).
            Verdicts are the candidates' own letters and scores stand in their own order.
        items: `ITEM_COLUMNS`, `n_candidates` and `scalar_rewards` (None where there are none), one
            row an item that was judged.
        problems: what was wrong with rows, the first `SHOWN_PROBLEMS` of them.
        left_out: rows that were not used, by reason. Judgements whose verdict could not be read
            are kept: they count.
        notes: what was assumed, a sentence each.
    """

    table: pd.DataFrame
    items: pd.DataFrame
    problems: tuple[RowProblem, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the judges, in order of first appearance."""
        return tuple(dict.fromkeys(self.table["judge"]))

    @property
    def n_unread(self) -> int:
        """Judgements that have neither a verdict nor scores."""
        return int((self.table["verdict"].isna() & self.table["scores"].isna()).sum())

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Temperatures the judgements were drawn at, as far as they are known."""
        return tuple(sorted(float(each) for each in self.table[TEMPERATURE].dropna().unique()))

    def at(self, *, judge: str | None = None, temperature: float | None = None) -> "Judgements":
        """Only the judgements of this judge, or drawn at this temperature."""
        keep = np.ones(len(self.table), dtype=bool)
        if judge is not None:
            keep &= (self.table["judge"] == judge).to_numpy()
        if temperature is not None:
            keep &= (self.table[TEMPERATURE] == temperature).to_numpy()
        table = self.table.loc[keep].reset_index(drop=True)
        items = self.items.loc[self.items["item_id"].isin(set(table["item_id"]))]
        return Judgements(
            table, items.reset_index(drop=True), self.problems, self.left_out, self.notes
        )


def check_judgements(
    judgements: pd.DataFrame,
    items: pd.DataFrame | None = None,
    *,
    as_shown: bool = False,
    left_out: Mapping[str, int] | None = None,
) -> Judgements:
    """Checks tables of judgements and items.

    Args:
        judgements: needs a column `item_id` and `verdict` or `scores`; what else is missing is
            filled in. Without `order` all are taken to be in the candidates' own order.
        items: the items; where it is None, their columns are looked for beside the judgements.
        as_shown: verdicts and scores are by position (A is the candidate shown first) instead of
            by the candidates' own letters; they are turned back.
        left_out: rows the caller could not read, by reason.

    Raises:
        TableError: a column is missing, or no row can be used.
    """
    table = _renamed(judgements)
    if "item_id" not in table.columns:
        raise TableError(
            "The table of judgements has no column item_id.",
            fix=f"It has {', '.join(map(str, judgements.columns)) or 'none'}. Name the column that "
            "says which item a judgement is about.",
        )
    if not {"verdict", "scores"} & set(table.columns):
        raise TableError(
            "The table of judgements has neither a column verdict nor a column scores.",
            fix="A verdict is the winner's letter (A, B, …) or tie; scores are a list, one a "
            "candidate.",
        )
    return _Checker(table, items, as_shown, dict(left_out or {})).checked()


class _Checker:
    """One pass over the rows; gathers what is wrong as it goes."""

    def __init__(
        self,
        table: pd.DataFrame,
        items: pd.DataFrame | None,
        as_shown: bool,
        left_out: dict[str, int],
    ) -> None:
        self.table = table.reset_index(drop=True)
        self.as_shown = as_shown
        self.left_out = Counter(left_out)
        self.problems: list[RowProblem] = []
        self.notes: list[str] = []
        given = _items_beside(self.table) if items is None else _renamed(items)
        self.known = {
            str(row["item_id"]): row for row in given.to_dict("records") if _there(row["item_id"])
        }
        self.sizes: dict[str, int] = {}

    def checked(self) -> Judgements:
        if "order" not in self.table.columns:
            self.notes.append(
                "The table has no column order: every judgement is taken to have been shown the "
                "candidates in their own order."
            )
        self.sizes = self._sizes()
        rows = [
            made
            for at, row in enumerate(self.table.to_dict("records"))
            if (made := self._row(at, {str(key): value for key, value in row.items()})) is not None
        ]
        if not rows:
            told = "; ".join(f"{why} ({n})" for why, n in self.left_out.items()) or "it has no rows"
            raise TableError(f"No row of the table of judgements can be used: {told}.")
        table = self._numbered(pd.DataFrame(rows))
        items = self._items(tuple(dict.fromkeys(table["item_id"])))
        n_unknown = int(items["best"].isna().sum())
        if n_unknown:
            self.notes.append(
                f"{n_unknown:,} of {len(items):,} items have no known winner: they are shown, but "
                "count in no accuracy."
            )
        return Judgements(
            table,
            items,
            tuple(self.problems[:SHOWN_PROBLEMS]),
            {why: n for why, n in self.left_out.items() if n},
            tuple(self.notes),
        )

    def _sizes(self) -> dict[str, int]:
        """Candidates of each item: its responses, or as many as any row of it speaks of."""
        found: dict[str, int] = {}
        for item_id, row in self.known.items():
            responses = _listed(row.get("responses"))
            if responses:
                found[item_id] = len(responses)
        for row in self.table.to_dict("records"):
            item_id = str(row["item_id"])
            verdict = _SHOWN.match(_text(row.get("verdict")))
            told = [_letters(row.get("order")), verdict.group(1).upper() if verdict else ""]
            letters = [letter for text in told for letter in text]
            highest = max((LETTERS.index(letter) + 1 for letter in letters), default=0)
            size = max(highest, len(_numbers(row.get("scores")) or ()), 2)
            known = self.known.get(item_id, {})
            if not _listed(known.get("responses")):
                found[item_id] = max(found.get(item_id, 0), size)
        return found

    def _row(self, at: int, row: Mapping[str, Any]) -> dict[str, Any] | None:
        if not _there(row["item_id"]):
            self._drop(at, "item_id", "no item")
            return None
        item_id = str(row["item_id"])
        size = self.sizes[item_id]
        order = self._order(at, row.get("order"), size)
        if order is None:
            return None
        verdict = self._verdict(at, row.get("verdict"), order)
        scores = self._scores(at, row.get("scores"), size, order)
        problem = str(row.get("problem")) if _there(row.get("problem")) else ""
        if verdict is None and scores is None and not problem:
            problem = UNREAD
        if verdict is None and scores is not None:
            verdict = verdict_of(scores)
        made = {name: row.get(name, _DEFAULTS[name]) for name in _DEFAULTS}
        made |= {
            "item_id": item_id,
            "judge": _text(row.get("judge")) or "judge",
            "order": order,
            "format": _text(row.get("format")),
            "verdict": verdict,
            "scores": scores,
            "raw": _text(row.get("raw")),
            "problem": problem if verdict is None and scores is None else "",
            "truncated": bool(row.get("truncated")) if _there(row.get("truncated")) else False,
            "sample": row.get("sample"),
            TEMPERATURE: row.get(TEMPERATURE),
        }
        for name in ("confidence", "mass", "meta_score", "n_tokens", TEMPERATURE):
            made[name] = _number(made[name])
        return made

    def _order(self, at: int, cell: Any, size: int) -> str | None:
        own = LETTERS[:size]
        if not _there(cell):
            return own
        text = str(cell).strip()
        named = {"original": own, "swapped": own[::-1], "reversed": own[::-1]}
        text = named.get(text.lower(), text.upper())
        if not text or len(set(text)) < len(text) or not set(text) <= set(own):
            self._drop(at, "order", f"expected the letters of the candidates, found {cell!r}")
            return None
        return text

    def _verdict(self, at: int, cell: Any, order: str) -> str | None:
        if not _there(cell) or not str(cell).strip():
            return None
        text = str(cell).strip()
        if text.lower() in ("tie", "draw", "equal"):
            return TIE
        match = _SHOWN.match(text)
        letter = match.group(1).upper() if match else ""
        if self.as_shown and letter and LETTERS.index(letter) < len(order):
            letter = order[LETTERS.index(letter)]
        if letter not in order:
            self._tell(at, "verdict", f"expected a letter of {order} or tie, found {cell!r}")
            return None
        return letter

    def _scores(self, at: int, cell: Any, size: int, order: str) -> tuple[float, ...] | None:
        if not _there(cell) or (isinstance(cell, str) and not cell):
            return None
        numbers = _numbers(cell)
        if numbers is None or len(numbers) not in (size, len(order)):
            found = "no list of numbers" if numbers is None else f"{len(numbers)} numbers"
            self._tell(at, "scores", f"expected {size} numbers, found {found}")
            return None
        if not any(np.isfinite(numbers)):
            return None
        by_place = self.as_shown or len(numbers) < size
        if not by_place:
            return tuple(numbers)
        # A lone response, or some of the candidates: the others have no score.
        spread = [float("nan")] * size
        # A list of some is in their own order too, unless everything is by position.
        letters = order if self.as_shown else "".join(sorted(order))
        for letter, number in zip(letters, numbers, strict=False):
            spread[LETTERS.index(letter)] = number
        return tuple(spread)

    def _numbered(self, table: pd.DataFrame) -> pd.DataFrame:
        """Whole sample numbers; of two rows with the same number the first stays."""
        key = ["judge", "item_id", "order", TEMPERATURE]
        sample = pd.to_numeric(table["sample"], errors="coerce")
        counted = table.groupby(key, sort=False, dropna=False).cumcount()
        table = table.assign(sample=sample.where(sample.notna(), counted).astype(int))
        double = table.duplicated([*key, "sample"]).to_numpy()
        self.left_out["the same sample of an item and order again"] += int(double.sum())
        seed = pd.to_numeric(table["seed"], errors="coerce").fillna(0).astype(int)
        return (
            table.assign(seed=seed)
            .loc[~double, [*JUDGEMENT_COLUMNS, TEMPERATURE]]
            .reset_index(drop=True)
        )

    def _items(self, judged: Sequence[str]) -> pd.DataFrame:
        rows = []
        for item_id in judged:
            row, size = self.known.get(item_id, {}), self.sizes[item_id]
            scalars = _numbers(row.get(SCALAR_REWARDS))
            rows.append(
                {
                    "item_id": item_id,
                    "prompt": _text(row.get("prompt")),
                    "responses": _listed(row.get("responses")) or [],
                    "best": self._best(row, size),
                    "subset": _text(row.get("subset")) or "all",
                    "source": _text(row.get("source")),
                    "n_candidates": size,
                    SCALAR_REWARDS: scalars if scalars and len(scalars) == size else None,
                }
            )
        return pd.DataFrame(rows, columns=[*ITEM_COLUMNS, "n_candidates", SCALAR_REWARDS])

    def _best(self, row: Mapping[Any, Any], size: int) -> str | None:
        index = _number(row.get("best_index"))
        if np.isfinite(index) and 0 <= index < size:
            return LETTERS[int(index)]
        match = _SHOWN.match(_text(row.get("best")))
        letter = match.group(1).upper() if match else ""
        return letter if letter in LETTERS[:size] and letter else None

    def _drop(self, at: int, column: str, message: str) -> None:
        self._tell(at, column, message)
        self.left_out[f"column {column}: {message.partition(', found')[0]}"] += 1

    def _tell(self, at: int, column: str, message: str) -> None:
        self.problems.append(RowProblem(at + 1, column, message))


def verdict_of(scores: Sequence[float]) -> str | None:
    """The winner of a list of scores: its letter, "tie" where several are highest.

    A list in which a candidate has no score has no winner (None).
    """
    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    best = np.flatnonzero(values == values.max())
    return LETTERS[int(best[0])] if len(best) == 1 else TIE


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    known = {
        name: _SYNONYMS[str(name).lower()]
        for name in table.columns
        if str(name).lower() in _SYNONYMS and _SYNONYMS[str(name).lower()] not in table.columns
    }
    found = table.rename(columns=known)
    return found.loc[:, ~found.columns.duplicated()]


def _items_beside(table: pd.DataFrame) -> pd.DataFrame:
    columns = ["item_id", *(name for name in _OF_ITEMS if name in table.columns)]
    return table[columns].drop_duplicates("item_id")


def _there(cell: Any) -> bool:
    if cell is None or cell is pd.NA:
        return False
    return not (isinstance(cell, float | np.floating) and np.isnan(cell))


def _text(cell: Any) -> str:
    return str(cell).strip() if _there(cell) else ""


def _letters(cell: Any) -> str:
    text = _text(cell).upper()
    return text if set(text) <= set(LETTERS) and len(set(text)) == len(text) else ""


def _number(cell: Any) -> float:
    try:
        return float(cell) if _there(cell) and not isinstance(cell, bool) else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def _listed(cell: Any) -> list[str] | None:
    """A cell that holds a list of texts, as such or as JSON."""
    value = _unpacked(cell)
    return [str(each) for each in value] if value is not None and len(value) else None


def _numbers(cell: Any) -> list[float] | None:
    """A cell that holds a list of numbers, as such, as JSON, or with commas between."""
    value = _unpacked(cell)
    if value is None and isinstance(cell, str):
        value = [part for part in re.split(r"[,;\s]+", cell.strip("[](){} \t")) if part]
    if value is None or not value or describe_type(value) != "a list":
        return None
    try:
        return [float("nan") if each is None else float(each) for each in value]
    except (TypeError, ValueError):
        return None


def _unpacked(cell: Any) -> list[Any] | None:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except json.JSONDecodeError:
            return None
    return list(cell) if isinstance(cell, list | tuple | np.ndarray) else None
