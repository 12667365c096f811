"""A file of one's own for the verifier-free lab: likelihoods of a trainer, or texts to be read.

Three forms, each as JSON lines, JSON, CSV or Parquet:

- one row a trace with `ref_log_probabilities` (nats of the reference's tokens after it): scored;
- one row a trace with `question`, `reference` and `trace` as texts: to be read by a model;
- one row a problem with a list of `traces`, as the authored problems: to be read by a model.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.errors import TableError
from core.problems import Problem, Trace, names, parse_problem
from core.tables.files import parse_table

OTHER_NAMES = {
    "prompt": "question",
    "gt_text": "reference",
    "ground_truth": "reference",
    "think_text": "trace",
    "reasoning": "trace",
    "gt_action_logprobs": "ref_log_probabilities",
    "ref_token_logprobs": "ref_log_probabilities",
    "acc": "correct",
    "think_len": "n_trace_tokens",
}
"""Columns of other trainers' tables, VeriFree's dump among them, and what they are called here."""

FORMS = (
    "One row a trace with ref_log_probabilities (a list of nats); or with question, reference and "
    "trace as texts; or one row a problem with a list of traces, as in the authored problems."
)

NO_TEXT = "question, reference or trace is empty"
NO_NAME = "problem"


@dataclass(frozen=True)
class OwnFile:
    """What a file holds.

    Attributes:
        scores: one row a trace and wording with its log-probabilities, for
            `core.labs.verifier_free.tables.read_scores`; None where texts are still to be read.
        problems: with the texts that the file has; traces without text have "".
        left_out: rows that cannot be used, by reason.
    """

    scores: pd.DataFrame | None
    problems: tuple[Problem, ...]
    left_out: Mapping[str, int]


def read_own_file(data: bytes, name: str) -> OwnFile:
    """Reads a file of one of the three forms.

    Args:
        data: its content.
        name: its name, whose ending tells the format.

    Raises:
        TableError: when nothing of it can be used; says which columns are missing.
    """
    table = parse_table(data, name)
    left_out = Counter(row.problem.reason for row in table.rows if row.problem is not None)
    rows = [_renamed(row.cells) for row in table.readable]
    columns = {column for row in rows for column in row}
    if "traces" in columns:
        problems = [
            parse_problem(row, f"{name}, {table.unit} {given.number}")
            for row, given in zip(rows, table.readable, strict=True)
        ]
        if len({each.problem_id for each in problems}) < len(problems):
            raise TableError(f"{name}: two problems have the same problem_id.")
        return OwnFile(None, tuple(problems), dict(left_out))
    named = _with_ids(rows)
    if "ref_log_probabilities" in columns:
        return OwnFile(pd.DataFrame(named, dtype=object), _problems(named), dict(left_out))
    missing = {"question", "reference", "trace"} - columns
    if missing:
        raise TableError(f"{name}: no column {', '.join(sorted(missing))}.", fix=FORMS)
    full = [row for row in named if all(_text(row, each) for each in ("question", "trace"))]
    full = [row for row in full if _text(row, "reference")]
    left_out[NO_TEXT] += len(named) - len(full)
    if not full:
        raise TableError(f"{name}: no row has a question, a reference and a trace.", fix=FORMS)
    return OwnFile(None, _problems(full), {why: n for why, n in left_out.items() if n})


def _renamed(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Cells under the names used here; a column that has its name already keeps it."""
    found = dict(cells)
    for other, name in OTHER_NAMES.items():
        if other in found and name not in found:
            found[name] = found.pop(other)
    return found


def _with_ids(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows that all have ids: equal questions are one problem, traces are numbered within it."""
    questions: dict[str, str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    found = []
    for row in rows:
        problem = _text(row, "problem_id")
        if not problem:
            asked = _text(row, "question")
            problem = questions.setdefault(asked, f"{NO_NAME} {len(questions) + 1}")
        wording = _text(row, "wording") or "0"
        counted[problem, wording] += 1
        trace = _text(row, "trace_id") or str(counted[problem, wording])
        texts = _text(row, "trace"), _text(row, "reference")
        named = {"names_reference": names(*texts)} if all(texts) else {}
        found.append({**named, **row, "problem_id": problem, "trace_id": trace})
    return found


def _problems(rows: Sequence[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """Problems of rows, each trace once; the reference is that of the first row."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(str(row["problem_id"]), []).append(row)
    found = []
    for name, group in grouped.items():
        traces = {
            str(row["trace_id"]): Trace(
                str(row["trace_id"]), _text(row, "trace"), _label(row.get("correct"))
            )
            for row in reversed(group)
        }
        first = group[0]
        found.append(
            Problem(
                name,
                _text(first, "domain") or "all",
                _text(first, "question"),
                _text(first, "reference"),
                (),
                tuple(reversed(traces.values())),
            )
        )
    return tuple(found)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or isinstance(value, list | dict) else str(value).strip()


def _label(value: object) -> bool | None:
    words = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    return words.get(str(value).strip().lower())
