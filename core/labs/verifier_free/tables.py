"""The table the lab is a function of: one row a trace and wording of the reference."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import TableError

NEEDED = ("problem_id", "trace_id", "ref_log_probabilities")
"""Columns without which nothing can be said."""

OPTIONAL: dict[str, Any] = {
    "domain": "all",
    "correct": None,
    "wording": 0,
    "reference": "",
    "pieces": None,
    "ref_log_probabilities_without": None,
    "ref_entropies": None,
    "n_trace_tokens": float("nan"),
    "entropy": float("nan"),
    "names_reference": None,
    "format_ok": True,
    "error": "",
}
"""Columns that may be missing, with what stands in for them.

`ref_log_probabilities` and `ref_log_probabilities_without` (lists of nats, one a reference token,
after the trace and without reasoning; a list may be written as JSON, as tables of text need),
`correct` (true, false or missing), `wording` (0 for the
reference, from 1 for its paraphrases), `pieces` (texts of the reference's tokens), `n_trace_tokens`
(of the reasoning), `entropy` (mean nats per token of the reasoning), `names_reference` (the trace
contains the reference as written), `format_ok` (the completion has the tags asked for).
"""

COLUMNS = (*NEEDED, *OPTIONAL)

NO_TOKENS = "no reference tokens"
DAMAGED = "a log-probability that is no number or above 0"
TWICE = "the same trace and wording a second time"
SCORER_FAILED = "the scorer could not read it"


@dataclass(frozen=True)
class Scores:
    """A checked table.

    Attributes:
        table: all of `COLUMNS`; lists are numpy arrays, or None where there are none.
        left_out: rows that cannot be used, by reason.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int]

    @property
    def references(self) -> pd.DataFrame:
        """Only rows of the reference itself."""
        return self.table.loc[self.table["wording"] == 0].reset_index(drop=True)

    @property
    def problems(self) -> tuple[str, ...]:
        """Ids of the problems, each once, in the order of the table."""
        return tuple(dict.fromkeys(self.table["problem_id"]))

    def of_problem(self, problem_id: str, *, wording: int = 0) -> pd.DataFrame:
        """The group of one problem with one wording."""
        chosen = (self.table["problem_id"] == problem_id) & (self.table["wording"] == wording)
        return self.table.loc[chosen].reset_index(drop=True)


def read_scores(frame: pd.DataFrame) -> Scores:
    """Checks a table of reference likelihoods; rows that cannot be used are counted.

    A log-probability of minus infinity is kept: it makes a reward of 0 and is flagged where shown.

    Raises:
        TableError: a needed column is missing, or no row can be used.
    """
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing:
        raise TableError(
            f"The table has no column {', '.join(missing)}.",
            fix=f"Give one row a trace with {', '.join(NEEDED)}; the last is a list of nats.",
        )
    table = frame.reset_index(drop=True).copy(deep=False)
    for name, value in OPTIONAL.items():
        if name not in table.columns:
            table[name] = [value] * len(table)
    table = table[list(COLUMNS)].copy()
    table["problem_id"] = table["problem_id"].astype(str)
    table["trace_id"] = table["trace_id"].astype(str)
    table["domain"] = ["all" if pd.isna(value) else str(value) for value in table["domain"]]
    table["error"] = ["" if pd.isna(value) else str(value) for value in table["error"]]
    table["wording"] = pd.to_numeric(table["wording"], errors="coerce").fillna(0).astype(int)
    table["correct"] = [_flag(value) for value in table["correct"]]
    table["names_reference"] = [_flag(value) for value in table["names_reference"]]
    table["format_ok"] = [_flag(value) is not False for value in table["format_ok"]]
    for name in ("n_trace_tokens", "entropy"):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    for name in ("ref_log_probabilities", "ref_log_probabilities_without", "ref_entropies"):
        table[name] = pd.Series([_numbers(_unpacked(value)) for value in table[name]], dtype=object)
    table["pieces"] = pd.Series(
        [
            _texts(_unpacked(pieces), logs)
            for pieces, logs in zip(table["pieces"], table["ref_log_probabilities"], strict=True)
        ],
        dtype=object,
    )
    reasons = _reasons(table)
    kept = table.loc[[not reason for reason in reasons]].reset_index(drop=True)
    if not len(kept):
        raise TableError(
            "No row of the table can be used: "
            + "; ".join(sorted({reason for reason in reasons if reason}) or ["it is empty"])
        )
    counted = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons) if reason}
    return Scores(kept, counted)


def _reasons(table: pd.DataFrame) -> list[str]:
    """Why each row cannot be used; "" where it can."""
    seen: set[tuple[object, ...]] = set()
    found = []
    for row in table.itertuples():
        key = (row.problem_id, row.trace_id, row.wording)
        found.append(SCORER_FAILED if row.error else TWICE if key in seen else _damage(row))
        seen.add(key)
    return found


def _damage(row: Any) -> str:
    values = row.ref_log_probabilities
    if values is None or not len(values):
        return NO_TOKENS
    without = row.ref_log_probabilities_without
    for each in (values, without):
        if each is not None and (np.isnan(each).any() or (each > 1e-6).any()):
            return DAMAGED
    if without is not None and len(without) != len(values):
        return "another number of reference tokens without reasoning"
    return ""


def _numbers(value: object) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """A list of numbers as an array; NaN for what is no number; None where there is no list."""
    if value is None or not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return None
    try:
        return np.asarray(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.array([np.nan])


def _unpacked(value: Any) -> Any:
    """A list that is written as JSON; anything else as it is."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _texts(value: Any, numbers: Any) -> list[str] | None:
    """The texts of tokens, one for each number; None where there are none or they do not fit."""
    if value is None or isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        return None
    fits = numbers is not None and len(value) == len(numbers)
    return [str(piece) for piece in value] if fits else None


_WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
