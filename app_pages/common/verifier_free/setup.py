"""What the visitor chose: whose likelihoods, which problem, and how they become rewards."""

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from core.errors import WorkbenchError
from core.labs.verifier_free.aggregates import AGGREGATES, TITLES, USED_BY, Aggregate
from core.labs.verifier_free.debias import SHAPE_MEANING, SHAPES, Debias
from core.labs.verifier_free.rewards import (
    ADVANTAGE_MEANING,
    ADVANTAGES,
    AdvantageKind,
    RewardOptions,
)
from core.labs.verifier_free.tables import Scores, read_scores
from core.models.card import EmbeddedSource
from core.models.judges.backends import shared_language_model
from core.models.likelihood import read_problems
from core.problem_scores import EMBEDDED, recorded_card, recorded_scores
from core.problems import Problem, Trace, authored_problems
from core.schema import content_id

NAME = "verifier-free"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

RECORDED, OWN = "recorded", "own"
SOURCES = {RECORDED: "Authored problems", OWN: "My own question"}
MOST_CHARACTERS = 4_000
MOST_TRACES = 6
OWN_ID = "own"

one_of = partial(choices.one_of, NAME)


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        source: one of `SOURCES`.
        words: the source in a sentence, for reports.
        scores: the checked table.
        problem: whose traces are shown.
        options: aggregate, debiasing, advantages.
        key: changes whenever the likelihoods do.
    """

    source: str
    words: str
    scores: Scores
    problem: Problem
    options: RewardOptions
    key: str

    @property
    def group(self) -> pd.DataFrame:
        """Rows of the chosen problem with the reference as it is worded."""
        return self.scores.of_problem(self.problem.problem_id)


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there is nothing to show."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        source = one_of(
            "Likelihoods of",
            (RECORDED, OWN),
            "source",
            SOURCES,
            hint="The authored problems were read by the embedded model beforehand; your own "
            "question is read by it while you wait.",
        )
    try:
        found = _recorded() if source == RECORDED else _own()
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    if found is None:
        return None
    words, scores, problem, key = found
    if scores.left_out:
        reasons = "; ".join(f"{plain(why)} ({n})" for why, n in scores.left_out.items())
        st.caption(f":material/info: Left out: {reasons}.")
    return Setup(source, words, scores, problem, _options(), key)


def _recorded() -> tuple[str, Scores, Problem, str]:
    problems = {problem.problem_id: problem for problem in authored_problems()}
    chosen = st.selectbox(
        "Problem",
        list(problems),
        format_func=lambda name: f"{name} · {problems[name].question}",
        key=f"{NAME}-problem",
        persist_state="session",
        help="Each has two right and two wrong traces. The tabs on quality use all of them.",
    )
    card = recorded_card()
    words = (
        f"{len(problems)} authored problems with four traces each, read by {card.get('model', '?')}"
        f" in {card.get('number_format', 'an unknown number format')}."
    )
    return words, _recorded_scores(), problems[chosen or next(iter(problems))], "recorded"


@st.cache_resource(show_spinner=False)
def _recorded_scores() -> Scores:
    return read_scores(recorded_scores())


def _own() -> tuple[str, Scores, Problem, str] | None:
    with st.form(f"{NAME}-own", border=True):
        question = st.text_area(
            "Question", "What is 12 times 11?", key=f"{NAME}-own-question",
            max_chars=MOST_CHARACTERS,
            help="As it is asked; the model's chat template goes around.",
        )  # fmt: skip
        reference = st.text_input(
            "Reference answer", "132", key=f"{NAME}-own-reference", max_chars=200,
            help="As short as it can be: every further token is averaged in.",
        )  # fmt: skip
        wordings = st.text_input(
            "The same answer in other words", "one hundred and thirty-two",
            key=f"{NAME}-own-wordings", max_chars=600,
            help="For the stress test; put | between several. May be empty.",
        )  # fmt: skip
        traces = st.text_area(
            "Reasoning traces",
            "+ Ten times 12 is 120, and one more 12 makes 132.\n\n"
            "- Twelve times 11 is 12 + 11 with a zero, so 230.",
            key=f"{NAME}-own-traces",
            height=150,
            max_chars=4 * MOST_CHARACTERS,
            help=f"Up to {MOST_TRACES}, an empty line between two. Begin one with + if it is right "
            "and with - if it is wrong; without a sign it is not labelled.",
        )
        asked = st.form_submit_button(
            "Read them", icon=":material/play_arrow:",
            help="The embedded model reads the reference after each trace: a few seconds.",
        )  # fmt: skip
    if asked:
        problem = own_problem(question or "", reference or "", wordings or "", traces or "")
        st.session_state[f"{NAME}-own-asked"] = (uuid.uuid4().hex, problem)
    asked_for: tuple[str, Problem] | None = st.session_state.get(f"{NAME}-own-asked")
    if asked_for is None:
        st.caption(":material/info: Type a question and traces, then press Read them.")
        return None
    key, problem = asked_for
    outcome = tasks().outcome((f"{NAME}-own", key), lambda: _read(problem))
    if not is_there(outcome, "Reading the reference after each trace …"):
        return None
    words = f"A question typed in, {len(problem.traces)} traces, read by {EMBEDDED}."
    return words, outcome.value, problem, key


def own_problem(question: str, reference: str, wordings: str, traces: str) -> Problem:
    """A problem from what was typed; an empty line parts traces, a sign labels them.

    Raises:
        WorkbenchError: something is empty.
    """
    labels = {"+": True, "-": False}
    blocks = [block.strip() for block in traces.replace("\r\n", "\n").split("\n\n")]
    found = []
    for number, block in enumerate([block for block in blocks if block][:MOST_TRACES]):
        label = labels.get(block[0])
        text = block[1:].strip() if label is not None else block
        if text:
            found.append(Trace("abcdefgh"[number], text, label))
    if not (question.strip() and reference.strip() and found):
        raise WorkbenchError("Question, reference and at least one trace must not be empty.")
    others = tuple(part.strip() for part in wordings.split("|") if part.strip())
    return Problem(OWN_ID, "own", question.strip(), reference.strip(), others, tuple(found))


def _read(problem: Problem) -> Scores:
    source = EmbeddedSource(kind="embedded", name=EMBEDDED)
    model = shared_language_model(source, dtype="float32", device=None)
    return read_scores(pd.DataFrame(read_problems(model, [problem], paraphrases=True)))


def _options() -> RewardOptions:
    """Aggregate, baseline, shape, format and advantages."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
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
            help="RLPR's debiasing: what the question alone makes likely is no merit of the trace.",
        )
    with st.expander("More settings", icon=":material/tune:"):
        left, middle, right = st.columns(3, gap="medium")
        with left:
            shape: Any = st.selectbox(
                "Shape of the gain", SHAPES, key=f"{NAME}-shape", persist_state="session",
                help="; ".join(f"{name}: {meaning}" for name, meaning in SHAPE_MEANING.items()),
            )  # fmt: skip
            parameter = st.number_input(
                "Parameter of threshold and sigmoid", 0.0, 100.0, 0.05, 0.05,
                key=f"{NAME}-parameter", help="t of the threshold, k of the sigmoid.",
            )  # fmt: skip
        with middle:
            weight = st.slider(
                "Weight of the format", 0.0, 1.0, 0.1, 0.05, key=f"{NAME}-format",
                help="RLPR's code gives 0.1 for the right tags. The authored traces count as "
                "well formed, so this only shrinks the rest.",
            )  # fmt: skip
            rounded = st.toggle(
                "Round the baseline to bfloat16", False, key=f"{NAME}-rounded",
                help="As RLPR's code does.",
            )  # fmt: skip
        with right:
            kinds: list[AdvantageKind | None] = [None, *ADVANTAGES]
            advantage = st.selectbox(
                "Advantages", kinds, key=f"{NAME}-advantage", persist_state="session",
                format_func=lambda kind: "each method's own" if kind is None else str(kind),
                help="; ".join(f"{name}: {text}" for name, text in ADVANTAGE_MEANING.items()),
            )  # fmt: skip
            normalised = st.toggle(
                "NOVER: divide by the log of the length", True, key=f"{NAME}-normalised",
                help="exp(NLL / (1 + log10 of the reasoning's tokens)), as in its code.",
            )  # fmt: skip
    how = Debias(baseline, shape or SHAPES[0], float(parameter), float(weight), rounded)
    return RewardOptions(score, how, normalised, advantage=advantage)


def options_key(setup: Setup) -> str:
    """Under which results of these choices are kept."""
    return content_id([setup.key, repr(setup.options)])
