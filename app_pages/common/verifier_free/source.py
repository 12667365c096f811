"""Whose likelihoods the page shows: the authored problems, a question typed in, or a file."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from core.errors import WorkbenchError
from core.labs.verifier_free.tables import Scores, read_scores
from core.models.card import EmbeddedSource
from core.models.judges.backends import shared_language_model
from core.models.likelihood import read_problems
from core.problem_scores import EMBEDDED, recorded_card, recorded_scores
from core.problems import Problem, Trace, authored_problems

NAME = "verifier-free"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

MOST_CHARACTERS = 4_000
MOST_TRACES = 6
OWN_ID = "own"


@dataclass(frozen=True)
class Source:
    """Likelihoods and where they come from.

    Attributes:
        kind: "recorded", "own" or "file".
        words: in a sentence, for reports.
        scores: the checked table.
        problem: whose traces are shown.
        key: changes whenever the likelihoods do.
        python: the lines that give `scores` in a script.
    """

    kind: str
    words: str
    scores: Scores
    problem: Problem
    key: str
    python: Sequence[str]


def choose_problem(problems: Sequence[Problem]) -> Problem:
    """The control for one of several problems."""
    known = {problem.problem_id: problem for problem in problems}
    chosen = st.selectbox(
        "Problem",
        list(known),
        format_func=lambda name: f"{name} · {known[name].question or 'question not in the file'}",
        key=f"{NAME}-problem",
        persist_state="session",
        help="Whose tokens, rewards and variances are shown. Right from wrong, filter, length and "
        "paraphrases take all problems.",
    )
    return known.get(chosen or "", problems[0])


def from_record() -> Source:
    """The authored problems as the embedded model read them."""
    problems = authored_problems()
    chosen = choose_problem(problems)
    card = recorded_card()
    words = (
        f"{len(problems)} authored problems with four traces each, read by {card.get('model', '?')}"
        f" in {card.get('number_format', 'an unknown number format')}."
    )
    python = [
        "from core.problem_scores import recorded_scores",
        "",
        "scores = read_scores(recorded_scores())",
    ]
    return Source("recorded", words, _recorded_scores(), chosen, "recorded", python)


@st.cache_resource(show_spinner=False)
def _recorded_scores() -> Scores:
    return read_scores(recorded_scores())


def from_question() -> Source | None:
    """A question typed in and read by the embedded model; None until it is."""
    with st.form(f"{NAME}-own", border=True):
        left, right = st.columns([0.4, 0.6], gap="medium")
        with left:
            question = st.text_area(
                "Question", "What is 12 times 11?", key=f"{NAME}-own-question",
                max_chars=MOST_CHARACTERS, height=80,
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
        with right:
            traces = st.text_area(
                f"Reasoning traces, up to {MOST_TRACES}: an empty line between two; + in front of "
                "a right one, - in front of a wrong one",
                "+ Ten times 12 is 120, and one more 12 makes 132.\n\n"
                "- Twelve times 11 is 12 + 11 with a zero, so 230.",
                key=f"{NAME}-own-traces",
                height=236,
                max_chars=4 * MOST_CHARACTERS,
                help="Without a sign a trace is not labelled.",
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
    return Source("own", words, outcome.value, problem, key, _python(problem))


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


def _python(problem: Problem) -> list[str]:
    return [
        "import pandas as pd",
        "",
        "from core.models.card import EmbeddedSource",
        "from core.models.language import load_language_model",
        "from core.models.likelihood import read_problems",
        "from core.problems import Problem, Trace",
        "",
        f"problem = {problem!r}",
        f'source = EmbeddedSource(kind="embedded", name="{EMBEDDED}")',
        'model = load_language_model(source, dtype="float32")',
        "scores = read_scores(pd.DataFrame(read_problems(model, [problem], paraphrases=True)))",
    ]
