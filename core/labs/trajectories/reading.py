r"""Agent trajectories read as counts: tool calls, failed ones, answers, turns.

Three forms are read: columns that hold the counts already; text with tags,
`<tool_call>{"name": ..., "arguments": ...}</tool_call>`, `<tool_response>...</tool_response>`,
`<reason>...</reason><answer>\boxed{...}</answer>`; and chat messages with tool calls and results.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from core.errors import TableError

Form = Literal["columns", "messages", "text"]
ErrorRule = Literal["contains error", "pattern", "status"]
Counting = Literal["paper", "code"]

ERROR_RULES: tuple[ErrorRule, ...] = get_args(ErrorRule)
COUNTS = ("tool_calls", "tool_errors", "answer_tags", "turns")
OTHER_NAMES = {
    "tool_calls": "n_tool_calls",
    "tool_errors": "n_tool_errors",
    "answer_tags": "n_answer_tags",
    "turns": "n_turns",
}
"""What the same columns are called elsewhere."""

ERROR_PATTERN = r"Traceback|\b\w*(?:Error|Exception)\b|timed out"
_GOOD_STATES = {"ok", "success", "succeeded", "done", "completed", "0", "true"}

_RESULT = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_TURN = re.compile(r"<\|im_start\|>assistant.*?<\|im_end\|>", re.DOTALL)

NOTHING_TO_READ = "no text and no messages"
UNREADABLE = "messages that are not a list of role and content"
NO_STATUS = "a tool result without a status"
IMPOSSIBLE = "impossible counts (missing, negative, or more errors than calls)"


@dataclass(frozen=True)
class ReadingOptions:
    """How trajectories are counted.

    Attributes:
        error_rule: what makes a tool result an error. "contains error": it holds the letters
            "error" in any case, as in the released code of rStar2-Agent, so a printed "squared
            error" counts and a bare "Exception" does not. "pattern": it matches `pattern`.
            "status": its status field (of the message, or of the result as JSON) says so.
        pattern: regular expression of the rule "pattern".
        counting: "paper" counts calls, answer tags and turns as they stand; "code" counts as the
            released code does: calls by their results, no answer where tags do not match up, and
            turns by chat headers within the response, of which a single turn has none.
        form: which form to read; None takes the first there is of columns, messages, text.
    """

    error_rule: ErrorRule = "contains error"
    pattern: str = ERROR_PATTERN
    counting: Counting = "paper"
    form: Form | None = None


@dataclass(frozen=True)
class Trajectories:
    """A rollout table with counts.

    Attributes:
        table: the given rows with `tool_calls`, `tool_errors`, `answer_tags`, `turns` as float
            columns, NaN where they could not be read.
        form: which form was read.
        left_out: rows without counts, by reason.
    """

    table: pd.DataFrame
    form: Form
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Counted:
    calls: float = np.nan
    errors: float = np.nan
    answers: float = np.nan
    turns: float = np.nan
    problem: str = ""


def read_trajectories(table: pd.DataFrame, options: ReadingOptions | None = None) -> Trajectories:
    """Counts tool calls, errors, answers and turns of every row.

    Args:
        table: rollouts with the four counts as columns, or `messages`, or `response`.
        options: what counts as what.

    Raises:
        TableError: when the table has none of the three forms, or not the one asked for, or the
            pattern is no regular expression.
    """
    options = options or ReadingOptions()
    form = _form(table, options.form)
    if form == "columns":
        named = {ours: ours if ours in table.columns else OTHER_NAMES[ours] for ours in COUNTS}
        counts = pd.DataFrame(
            {ours: pd.to_numeric(table[name], errors="coerce") for ours, name in named.items()}
        )
        problems = [""] * len(table)
    else:
        column = "messages" if form == "messages" else "response"
        rule = _compiled(options)
        read = [_count(value, options, rule) for value in table[column]]
        rows = [(each.calls, each.errors, each.answers, each.turns) for each in read]
        counts = pd.DataFrame(rows, columns=list(COUNTS), index=table.index, dtype=np.float64)
        problems = [each.problem for each in read]
    counts = counts.astype(np.float64)
    impossible = _impossible(counts) & np.array([not problem for problem in problems], dtype=bool)
    counts.loc[_impossible(counts)] = np.nan
    reasons = Counter(problem for problem in problems if problem)
    reasons.update({IMPOSSIBLE: int(impossible.sum())} if impossible.any() else {})
    others = table.drop(columns=[name for name in COUNTS if name in table.columns])
    return Trajectories(pd.concat([others, counts], axis=1), form, dict(reasons))


def tool_results(text: str) -> list[str]:
    """What the tools answered in a trajectory in tag form, in order."""
    return _RESULT.findall(text)


def rule_disagreements(
    texts: Sequence[object], *, pattern: str = ERROR_PATTERN, most: int = 20
) -> pd.DataFrame:
    """Where "contains error" and a pattern disagree on a tool result, with examples.

    Args:
        texts: trajectories in tag form; others are passed over.
        pattern: the rule held against "contains error".
        most: examples at most; all are counted.

    Returns:
        Columns `result`, `contains_error`, `matches_pattern`, `times`, the most frequent first; the
        attribute "n_results" counts all results.
    """
    rule = _compiled(ReadingOptions("pattern", pattern))
    results = [each for text in texts if isinstance(text, str) for each in tool_results(text)]
    counts: Counter[str] = Counter(result.strip() for result in results)
    rows = []
    for result, times in counts.most_common():
        has_letters, matches = "error" in result.lower(), rule.search(result) is not None
        if has_letters != matches:
            rows.append((result[:300], has_letters, matches, times))
    columns = ["result", "contains_error", "matches_pattern", "times"]
    found = pd.DataFrame(rows, columns=columns)
    found.attrs = {"n_results": len(results), "n_disagree": int(found["times"].sum())}
    return found.head(most)


def _form(table: pd.DataFrame, asked: Form | None) -> Form:
    """The form to read, checked against the columns there are."""
    has: dict[Form, bool] = {
        "columns": all(
            ours in table.columns or theirs in table.columns for ours, theirs in OTHER_NAMES.items()
        ),
        "messages": "messages" in table.columns and bool(table["messages"].notna().any()),
        "text": "response" in table.columns and bool(table["response"].notna().any()),
    }
    found = next((form for form, there in has.items() if there), None)
    if asked is not None and has[asked]:
        return asked
    if asked is not None or found is None:
        what = f"No {asked} to read" if asked else "No trajectories to read"
        raise TableError(
            f"{what}: the table has neither all of {', '.join(COUNTS)} nor messages nor responses."
            if asked is None
            else f"{what} in this table.",
            fix="Give the four counts as columns, chat messages, or responses with tool tags.",
        )
    return found


def _compiled(options: ReadingOptions) -> re.Pattern[str]:
    try:
        return re.compile(options.pattern)
    except re.error as error:
        raise TableError(
            f"The error pattern is not a regular expression: {error}.",
            fix="For example: Traceback|Error|Exception",
        ) from error


def _impossible(counts: pd.DataFrame) -> "pd.Series[bool]":
    bad = counts.isna().any(axis=1) | (counts < 0).any(axis=1)
    return bad | (counts["tool_errors"] > counts["tool_calls"])


def _count(value: Any, options: ReadingOptions, rule: re.Pattern[str]) -> _Counted:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return _count_text(value, options, rule)
    if isinstance(value, str):
        return _count_text(value, options, rule)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        if not value or not all(isinstance(each, Mapping) and "role" in each for each in value):
            return _Counted(problem=UNREADABLE)
        return _count_messages(value, options, rule)
    return _Counted(problem=NOTHING_TO_READ)


def _count_text(text: str, options: ReadingOptions, rule: re.Pattern[str]) -> _Counted:
    results = tool_results(text)
    failed = [_failed(result, None, options.error_rule, rule) for result in results]
    if None in failed:
        return _Counted(problem=NO_STATUS)
    errors = float(sum(bool(each) for each in failed))
    headers = len(_TURN.findall(text))
    if options.counting == "code":
        matched = len(_ANSWER.findall(text))
        opened, closed = text.count("<answer>"), text.count("</answer>")
        answers = matched if matched == opened == closed else 0
        return _Counted(float(len(results)), errors, float(answers), float(headers))
    calls = max(text.count("<tool_call>"), len(results))
    # The header of the first turn belongs to the prompt; without headers, a result ends a turn.
    after_results = len(results) + bool(_RESULT.split(text)[-1].strip())
    turns = headers + 1 if headers else max(1, after_results)
    return _Counted(float(calls), errors, float(text.count("<answer>")), float(turns))


def _count_messages(
    messages: Sequence[Mapping[str, Any]], options: ReadingOptions, rule: re.Pattern[str]
) -> _Counted:
    """Chat messages: calls stand in `tool_calls` or as tags, results in messages of the tool."""
    calls = errors = answers = turns = 0
    for message in messages:
        text = _content(message)
        if message["role"] == "assistant":
            turns += 1
            answers += text.count("<answer>")
            listed = message.get("tool_calls")
            calls += len(listed) if isinstance(listed, Sequence) else text.count("<tool_call>")
        for result in _results_of(message, text):
            failed = _failed(result, message, options.error_rule, rule)
            if failed is None:
                return _Counted(problem=NO_STATUS)
            errors += failed
    if options.counting == "code":
        n_results = sum(1 for each in messages for _ in _results_of(each, _content(each)))
        return _Counted(float(n_results), float(errors), float(answers), float(turns))
    return _Counted(float(max(calls, errors)), float(errors), float(answers), float(turns))


def _results_of(message: Mapping[str, Any], text: str) -> Iterator[str]:
    """Tool results that a message carries, whichever role brings them."""
    if message["role"] in ("tool", "function", "ipython"):
        yield text
    elif message["role"] != "system":
        yield from tool_results(text)


def _content(message: Mapping[str, Any]) -> str:
    """Text of a message, whose content may be a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def _failed(
    result: str, message: Mapping[str, Any] | None, error_rule: ErrorRule, rule: re.Pattern[str]
) -> bool | None:
    """Whether a tool result is an error; None where its status is asked for and not there."""
    if error_rule == "contains error":
        return "error" in result.lower()
    if error_rule == "pattern":
        return rule.search(result) is not None
    return _failed_by_status(result, message)


def _failed_by_status(result: str, message: Mapping[str, Any] | None) -> bool | None:
    try:
        told = json.loads(result)
    except ValueError:
        told = None
    for source in (message, told):
        if not isinstance(source, Mapping):
            continue
        if source.get("is_error") is not None:
            return bool(source["is_error"])
        for name in ("status", "exit_code", "returncode"):
            if source.get(name) is not None:
                return str(source[name]).strip().lower() not in _GOOD_STATES
        if "error" in source and source is message:
            return bool(source["error"])
    return None
