"""How files are read: which column stands for what, and where answers stand in responses."""

from collections.abc import Sequence
from typing import cast

import streamlit as st

from app_pages.common.markup import plain
from core.errors import WorkbenchError
from core.rollouts.answers import RULE_TITLES, RULES, AnswerRule, Rule
from core.rollouts.readers.base import step_in_name
from core.rollouts.readers.columns import FIELDS, ColumnMapping, guess_mapping
from core.rollouts.reading import Peek
from core.schema import content_id

MAIN = ("prompt", "problem_id", "response", "step", "reward", "correct", "answer", "reference")
"""What is asked for at once; the rest is folded."""

LABELS = {
    "run": "Run",
    "step": "Training step",
    "problem_id": "Problem's id",
    "prompt": "Prompt",
    "sample": "Sample number",
    "response": "Response",
    "answer": "Answer",
    "reference": "Reference answer",
    "correct": "Is it right",
    "reward": "Reward",
}
NOTHING = "–"
AS_IT_IS = "as the file has it"


def choose_reading(name: str, looked: Peek) -> tuple[ColumnMapping | None, AnswerRule | None]:
    """The controls for how files are read.

    Args:
        name: of the lab, for the widgets' keys.
        looked: what the files look like.

    Returns:
        The mapping, None where the files are a known trainer's; and the rule for answers, None for
        the answers that the file has, or the usual marks where it has none.
    """
    key = f"{name}-read-{content_id([looked.reader.name, *looked.columns])}"
    mapping = None
    with st.expander(f"How they are read: {plain(looked.reader.title)}", icon=":material/tune:"):
        if looked.reader.name == "columns":
            mapping = _mapping(key, looked)
        rule = _rule(key)
    return mapping, rule


def _mapping(key: str, looked: Peek) -> ColumnMapping:
    guessed = guess_mapping(looked.columns).columns
    st.caption(
        "Each line says what a column of your table stands for. Change what is guessed wrong."
    )
    chosen: dict[str, str] = {}
    _fields(key, MAIN, looked.columns, dict(guessed), chosen)
    others = [known for known in FIELDS if known not in MAIN]
    named = (
        ", ".join(known.replace("_", " ") for known in others if known in guessed) or "none named"
    )
    if st.toggle(f"More columns ({plain(named)})", key=f"{key}-more", persist_state="session"):
        _fields(key, others, looked.columns, dict(guessed), chosen)
    else:
        chosen |= {known: guessed[known] for known in others if known in guessed}
    step = None
    if "step" not in chosen and step_in_name(looked.name) is None:
        step = int(
            st.number_input(
                "Training step of all rows",
                0,
                value=0,
                key=f"{key}-fixed-step",
                persist_state="session",
                help="No column holds the step and no file name tells it.",
            )
        )
    return ColumnMapping(chosen, step)


def _fields(
    key: str,
    wanted: Sequence[str],
    columns: Sequence[str],
    guessed: dict[str, str],
    chosen: dict[str, str],
) -> None:
    """A box for each, four in a row."""
    for start in range(0, len(wanted), 4):
        for place, known in zip(st.columns(4), wanted[start : start + 4], strict=False):
            options = [NOTHING, *columns]
            column = place.selectbox(
                LABELS.get(known, known.replace("_", " ").capitalize()),
                options,
                options.index(guessed.get(known, NOTHING)),
                key=f"{key}-{known}",
                persist_state="session",
                help=f"The column that stands for {known.replace('_', ' ')}.",
            )
            if column and column != NOTHING:
                chosen[known] = column


def _rule(key: str) -> AnswerRule | None:
    left, right = st.columns(2, vertical_alignment="bottom")
    kind = left.selectbox(
        "Answers are",
        [AS_IT_IS, *RULES],
        key=f"{key}-rule",
        format_func=lambda rule: RULE_TITLES.get(rule, rule),
        persist_state="session",
        help="How the final answer of a response is found. Without an answer column the usual "
        "marks are looked for: a box, an answer tag, #### or “the answer is”.",
    )
    if kind == AS_IT_IS:
        return None
    pattern = ""
    if kind == "pattern":
        pattern = right.text_input(
            "Pattern",
            key=f"{key}-pattern",
            placeholder=r"Result:\s*(\S+)",
            persist_state="session",
            help="A regular expression. The answer is its first group, at its last match.",
        )
        if not pattern:
            return None
    rule = AnswerRule(cast(Rule, kind), pattern)
    try:
        rule.compiled()
    except WorkbenchError as error:
        right.error(plain(str(error)), icon=":material/error:")
        return None
    return rule
