"""What the visitor chose: whose likelihoods, which problem, and how they become rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.markup import plain
from app_pages.common.verifier_free.own_file import from_file
from app_pages.common.verifier_free.source import NAME, Source, from_question, from_record
from core.errors import WorkbenchError
from core.labs.verifier_free.aggregates import AGGREGATES, TITLES, USED_BY, Aggregate
from core.labs.verifier_free.debias import SHAPE_MEANING, SHAPES, Debias, Shape
from core.labs.verifier_free.rewards import (
    ADVANTAGE_MEANING,
    ADVANTAGES,
    AdvantageKind,
    RewardOptions,
)
from core.labs.verifier_free.spans import ALL, WHICH, Part, Which, restrict
from core.labs.verifier_free.tables import Scores
from core.problems import Problem
from core.schema import content_id

RECORDED, OWN, FILE = "recorded", "own", "file"
SOURCES = {RECORDED: "Authored problems", OWN: "My own question", FILE: "My own file"}
PARAMETERS: dict[Shape, tuple[str, float]] = {
    "threshold": ("t of the threshold", 0.05),
    "leaky": ("t below which it leaks", 0.0),
    "sigmoid": ("k of the sigmoid", 10.0),
}
"""Shapes that take a number: what it is called, and a usual one."""

PARTS: dict[Which, str] = {
    "whole": "all of it",
    "first": "its first tokens",
    "last": "its last tokens",
    "text": "a text within it",
}

one_of = partial(choices.one_of, NAME)


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        source: one of `SOURCES`.
        words: the source in a sentence, for reports.
        scores: the checked table, restricted to the part of each reference that counts.
        whole: the same before the restriction.
        problem: whose traces are shown.
        options: aggregate, debiasing, advantages.
        part: which tokens of the references count.
        key: changes whenever the likelihoods do.
        python: the lines that give `scores` in a script, before the restriction.
    """

    source: str
    words: str
    scores: Scores
    whole: Scores
    problem: Problem
    options: RewardOptions
    part: Part
    key: str
    python: Sequence[str]

    @property
    def group(self) -> pd.DataFrame:
        """Rows of the chosen problem with the reference as it is worded."""
        return self.scores.of_problem(self.problem.problem_id)

    @property
    def whole_group(self) -> pd.DataFrame:
        """The same with all tokens of the reference."""
        return self.whole.of_problem(self.problem.problem_id)

    @property
    def many(self) -> bool:
        """Whether there are several problems to speak of."""
        return len(self.scores.problems) > 1

    @property
    def labelled(self) -> bool:
        """Whether right and wrong traces are known."""
        return {True, False} <= set(self.scores.table["correct"])


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there is nothing to show."""
    left, right = st.columns([0.36, 0.64], gap="medium", vertical_alignment="bottom")
    with left:
        kind = one_of(
            "Likelihoods of",
            (RECORDED, OWN, FILE),
            "source",
            SOURCES,
            hint="The authored problems were read by the embedded model beforehand; your own "
            "question is read by it while you wait. A file holds log-probabilities that your "
            "trainer wrote, or texts to be read.",
        )
    try:
        if kind == RECORDED:
            with right:
                found: Source | None = from_record()
        else:
            found = from_question() if kind == OWN else from_file()
        return _with_choices(found) if found is not None else None
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _with_choices(source: Source) -> Setup:
    bare = [row is not None for row in source.scores.table["ref_log_probabilities_without"]]
    options, part = _options(any(bare))
    scores = restrict(source.scores, part)
    if source.problem.problem_id not in scores.problems:
        st.info(
            "No reference of the chosen problem has the part that counts; all of it is scored.",
            icon=":material/info:",
        )
        scores, part = source.scores, ALL
    if scores.left_out:
        reasons = "; ".join(f"{plain(why)} ({n})" for why, n in scores.left_out.items())
        st.caption(f":material/info: Rows left out: {reasons}.")
    key = content_id([source.key, repr(part)])
    return Setup(
        source.kind, source.words, scores, source.scores, source.problem, options, part, key,
        source.python,
    )  # fmt: skip


def _options(has_baseline: bool) -> tuple[RewardOptions, Part]:
    """Aggregate and baseline in a row, everything else in a popover beside."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        score: Aggregate = one_of(
            "Score of the reference",
            AGGREGATES,
            "score",
            TITLES,
            hint="; ".join(f"{TITLES[name]}: {USED_BY[name]}" for name in AGGREGATES),
        )
        baseline = st.toggle(
            "Subtract the score without reasoning",
            True,
            key=f"{NAME}-baseline",
            persist_state="session",
            disabled=not has_baseline,
            help="RLPR's debiasing: what the question alone makes likely is no merit of the trace."
            + ("" if has_baseline else " The file has no ref_log_probabilities_without."),
        )
        with st.popover("More settings", icon=":material/tune:"):
            left, right = st.columns(2, gap="medium")
            with left:
                debias = _debias(bool(baseline) and has_baseline)
            with right:
                part = _part()
                kinds: list[AdvantageKind | None] = [None, *ADVANTAGES]
                advantage = st.selectbox(
                    "Advantages", kinds, key=f"{NAME}-advantage", persist_state="session",
                    format_func=lambda kind: "each method's own" if kind is None else str(kind),
                    help="; ".join(f"{name}: {text}" for name, text in ADVANTAGE_MEANING.items()),
                )  # fmt: skip
                normalised = st.toggle(
                    "NOVER's length normaliser", True, key=f"{NAME}-normalised",
                    persist_state="session",
                    help="On: exp(NLL / (1 + log10 of the reasoning's tokens)), as in its code. "
                    "Off: exp(NLL).",
                )  # fmt: skip
    return RewardOptions(score, debias, normalised, advantage=advantage), part


def _debias(baseline: bool) -> Debias:
    shape: Any = st.selectbox(
        "Shape of the gain", SHAPES, key=f"{NAME}-shape", persist_state="session",
        help="; ".join(f"{name}: {meaning}" for name, meaning in SHAPE_MEANING.items()),
    )  # fmt: skip
    parameter = 0.05
    if shape in PARAMETERS:
        label, usual = PARAMETERS[shape]
        parameter = st.number_input(
            label, 0.0, 100.0, usual, 0.05,
            key=f"{NAME}-parameter-{shape}", persist_state="session",
        )  # fmt: skip
    weight = st.slider(
        "Weight of the format", 0.0, 1.0, 0.1, 0.05, key=f"{NAME}-format",
        persist_state="session",
        help="RLPR's code gives 0.1 for the right tags. The authored traces count as well formed, "
        "so all of them get it.",
    )  # fmt: skip
    rounded = st.toggle(
        "Round the score after the reasoning to bfloat16", False, key=f"{NAME}-rounded",
        persist_state="session",
        help="As RLPR's code does before it subtracts the baseline.",
    )  # fmt: skip
    return Debias(baseline, shape or SHAPES[0], float(parameter), float(weight), rounded)


def _part() -> Part:
    """Which tokens of the reference count."""
    which: Any = st.selectbox(
        "Of the reference counts", WHICH, key=f"{NAME}-part", persist_state="session",
        format_func=lambda name: PARTS[name],
        help="A mean over a long reference is held up by tokens that any trace would get. Tokens "
        "that do not count are shown faded; they still stand before the others.",
    )  # fmt: skip
    if which in ("first", "last"):
        n = st.number_input(
            "How many tokens", 1, 50, 1, key=f"{NAME}-part-n", persist_state="session"
        )
        return Part(which, int(n))
    if which == "text":
        text = st.text_input(
            "The text that counts", key=f"{NAME}-part-text", max_chars=200,
            persist_state="session",
            help="Case ignored; references without it are left out.",
        )  # fmt: skip
        return Part("text", text=text) if text and text.strip() else ALL
    return ALL


def options_key(setup: Setup) -> str:
    """Under which results of these choices are kept."""
    return content_id([setup.key, repr(setup.options)])
