"""What the visitor chose: rollouts, how failed calls are told, what each fault weighs."""

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.rollout_choice import ChosenRollouts, choose_rollouts
from core.labs.trajectories.penalties import Penalised, PenaltyOptions, penalise
from core.labs.trajectories.reading import (
    ERROR_PATTERN,
    ERROR_RULES,
    Form,
    ReadingOptions,
    Trajectories,
    read_trajectories,
)
from core.schema import content_id
from core.stats import Estimate

NAME = "tool-errors"
COLLECTION = "tool-errors"
AS_RECORDED, FROM_TEXT, AS_RELEASED = "as counted", "from the text", "as the released code"
FORM_NAMES = {
    AS_RECORDED: "As counted in the columns",
    FROM_TEXT: "From the text, tags as they stand",
    AS_RELEASED: "From the text, as the released code counts",
}
RULE_NAMES = {
    "contains error": "contains “error”",
    "pattern": "matches a pattern",
    "status": "has a status that says so",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs and what they give."""

    chosen: ChosenRollouts
    reading: ReadingOptions
    penalties: PenaltyOptions
    read: Trajectories
    penalised: Penalised

    @property
    def key(self) -> str:
        """Changes whenever the numbers do."""
        return content_id([self.chosen.key, asdict(self.reading), asdict(self.penalties)])


def choose_setup() -> Setup | None:
    """The controls; None (with what to do) while there is nothing to show."""
    chosen = choose_rollouts(NAME, collection=COLLECTION, needs=("correct",))
    if chosen is None:
        return None
    with st.expander("How calls are counted and what a fault costs", icon=":material/tune:"):
        reading = _reading(chosen.table)
        penalties = _penalties()
    outcome = tasks().outcome(
        (NAME, "read", chosen.key, reading, penalties),
        lambda: _read(chosen.table, reading, penalties),
    )
    if not is_there(outcome, "Counting tool calls …"):
        return None
    read, penalised = outcome.value
    for note in chosen.notes:
        st.caption(f":material/info: {plain(note)}")
    left_out = {**read.left_out, **penalised.left_out}
    if left_out:
        reasons = "; ".join(f"{plain(why)} ({n:,})" for why, n in left_out.items())
        st.caption(f":material/info: Left out: {reasons}.")
    if penalised.table.empty:
        st.warning("No rollout is judged and counted, so there is nothing to show.")
        return None
    return Setup(chosen, reading, penalties, read, penalised)


def _read(
    table: pd.DataFrame, reading: ReadingOptions, penalties: PenaltyOptions
) -> tuple[Trajectories, Penalised]:
    """Only rollouts drawn for an update have groups that an update could choose from."""
    drawn = table.loc[table["split"] == "train"] if "split" in table.columns else table
    read = read_trajectories(drawn if len(drawn) else table, reading)
    return read, penalise(read.table, penalties)


def _reading(table: pd.DataFrame) -> ReadingOptions:
    counted = {"tool_calls", "tool_errors", "answer_tags", "turns"} <= set(table.columns)
    has_text = any(
        name in table.columns and bool(table[name].notna().any())
        for name in ("response", "messages")
    )
    has_messages = "messages" in table.columns and bool(table["messages"].notna().any())
    text_form: Form = "messages" if has_messages else "text"
    ways = ([AS_RECORDED] if counted else []) + ([FROM_TEXT, AS_RELEASED] if has_text else [])
    if not ways:
        return ReadingOptions()
    way = st.selectbox(
        "Tool calls are counted",
        ways,
        format_func=FORM_NAMES.__getitem__,
        key=f"{NAME}-form-{len(ways)}",
        persist_state="session",
        help="The released code counts a call by its result, finds no answer where tags do not "
        "match up, and counts turns by chat headers inside the response, of which a single turn "
        "has none.",
    )
    if way == AS_RECORDED:
        return ReadingOptions(form="columns")
    rule = st.selectbox(
        "A tool result is an error when it",
        ERROR_RULES,
        format_func=RULE_NAMES.__getitem__,
        key=f"{NAME}-rule",
        persist_state="session",
        help="The released code looks for the letters “error”: a printed “squared error” counts, "
        "a bare “Exception” does not.",
    )
    pattern = ERROR_PATTERN
    if rule == "pattern":
        pattern = st.text_input(
            "Pattern",
            ERROR_PATTERN,
            key=f"{NAME}-pattern",
            persist_state="session",
            help="A regular expression that is searched for in each tool result.",
        )
    counting = "code" if way == AS_RELEASED else "paper"
    return ReadingOptions(rule, pattern or ERROR_PATTERN, counting, text_form)


def _penalties() -> PenaltyOptions:
    columns = st.columns(3)
    return PenaltyOptions(
        columns[0].slider(
            "p_err without a tool call",
            0.0,
            1.0,
            0.5,
            0.05,
            key=f"{NAME}-no-tool",
            persist_state="session",
            help="0.5 in the paper and its code. At 0 plain reasoning counts as clean, at 1 as the "
            "worst.",
        ),
        columns[1].slider(
            "Weight of failed calls",
            0.0,
            3.0,
            1.0,
            0.25,
            key=f"{NAME}-error-weight",
            persist_state="session",
            help="Multiplies p_err, the share of calls that failed.",
        ),
        columns[2].slider(
            "Weight of the format",
            0.0,
            3.0,
            1.0,
            0.25,
            key=f"{NAME}-format-weight",
            persist_state="session",
            help="Multiplies p_format, the distance from exactly one answer.",
        ),
    )


def computed(key: Hashable, compute: Callable[[], T], waiting: str) -> T | None:
    """A value computed once in the background; None (and a note) while it is not there."""
    outcome = tasks().outcome((NAME, key), compute)
    return outcome.value if is_there(outcome, waiting) else None


def in_words(estimate: Estimate) -> str:
    """A share with its interval and what it is made of."""
    if not estimate.n or estimate.value != estimate.value:
        return "no value"
    interval = (
        f"{estimate.confidence:.0%} interval {estimate.low:.1%} to {estimate.high:.1%}"
        if estimate.low == estimate.low
        else "no interval"
    )
    return f"{estimate.value:.1%} ({interval}, n = {estimate.n:,}, {estimate.n_prompts} problems)"
