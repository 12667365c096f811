"""Likelihoods of a visitor's own file: logged by a trainer, or read here from its texts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.verifier_free.source import NAME, Source, choose_problem
from core.labs.verifier_free.tables import Scores, read_scores
from core.models.card import EmbeddedSource
from core.models.judges.backends import shared_language_model
from core.models.likelihood import read_problems
from core.problem_files import FORMS, OwnFile, read_own_file
from core.problem_scores import EMBEDDED
from core.problems import Problem
from core.schema import content_id
from core.tables.files import INPUT_SUFFIXES

FILE_TYPES = [suffix.removeprefix(".") for suffix in INPUT_SUFFIXES]
MOST_PROBLEMS = 24
MOST_TRACES = 8
MOST_CHARACTERS = 6_000
TOO_MANY = f"problems beyond the first {MOST_PROBLEMS}"
TOO_MANY_TRACES = f"traces beyond the first {MOST_TRACES} of a problem"
TOO_LONG = f"traces of more than {MOST_CHARACTERS:,} characters"

HELP = (
    f"{FORMS} Further columns that are used where they are there: problem_id, trace_id, correct, "
    "domain, pieces (texts of the reference's tokens), ref_log_probabilities_without (without "
    "reasoning), n_trace_tokens, entropy, wording (0 for the reference, from 1 for paraphrases)."
)


EXAMPLE = """\
{"problem_id": "1", "trace_id": "a", "correct": true, "pieces": ["1", "3", "2"], \
"ref_log_probabilities": [-0.2, -0.1, -0.3], "ref_log_probabilities_without": [-1.2, -0.9, -2.0]}
{"question": "What is 12 times 11?", "reference": "132", "trace": "120 and 12 make 132.", \
"correct": true}"""
"""A line of each form that has one row a trace; a file holds one form."""


def from_file() -> Source | None:
    """The control for a file; None while there is none, or while its texts are read."""
    file = st.file_uploader("Traces with a reference", FILE_TYPES, key=f"{NAME}-file", help=HELP)
    if file is None:
        st.caption(f":material/info: {HELP}")
        st.code(EXAMPLE, language="json", wrap_lines=True)
        return None
    data, name = file.getvalue(), file.name
    key = content_id([name, hash(data)])
    outcome = tasks().outcome((f"{NAME}-file", key), lambda: read_own_file(data, name))
    if not is_there(outcome, "Reading the file …"):
        return None
    given: OwnFile = outcome.value
    head = [
        "from pathlib import Path",
        "",
        "from core.problem_files import read_own_file",
        "",
        f"given = read_own_file(Path({name!r}).read_bytes(), {name!r})",
    ]
    if given.scores is not None:
        frame = given.scores
        checked = tasks().outcome((f"{NAME}-file-scores", key), lambda: read_scores(frame))
        if not is_there(checked, "Checking the table …"):
            return None
        scores = _counting(checked.value, given.left_out)
        python = [*head, "scores = read_scores(given.scores)"]
        told = f"Log-probabilities of the file {name}"
    else:
        found = _read_texts(given, key)
        if found is None:
            return None
        scores = found
        python = [*head, *READING]
        told = f"Texts of the file {name}, read by {EMBEDDED}"
    problems = {each.problem_id: each for each in given.problems}
    chosen = choose_problem([problems[each] for each in scores.problems])
    words = f"{told}: {len(scores.problems)} problems, {len(scores.references)} traces."
    return Source("file", words, scores, chosen, key, python)


READING = [
    "import pandas as pd",
    "",
    "from core.models.card import EmbeddedSource",
    "from core.models.language import load_language_model",
    "from core.models.likelihood import read_problems",
    "",
    f'source = EmbeddedSource(kind="embedded", name="{EMBEDDED}")',
    'model = load_language_model(source, dtype="float32")',
    "scores = read_scores("
    "pd.DataFrame(read_problems(model, list(given.problems), paraphrases=True)))",
]


@st.cache_resource(show_spinner=False)
def _progress() -> dict[str, tuple[int, int]]:
    """How far each file is read, for all sessions."""
    return {}


def _read_texts(given: OwnFile, key: str) -> Scores | None:
    problems, left_out = bounded(given.problems)
    progress = _progress()

    def told(done: int, of: int) -> None:
        progress[key] = done, of

    def read() -> Scores:
        source = EmbeddedSource(kind="embedded", name=EMBEDDED)
        model = shared_language_model(source, dtype="float32", device=None)
        rows = read_problems(model, problems, paraphrases=True, progress=told)
        return _counting(read_scores(pd.DataFrame(rows)), {**given.left_out, **left_out})

    outcome = tasks().outcome((f"{NAME}-file-read", key), read)
    done, of = progress.get(key, (0, len(problems)))
    if not is_there(outcome, f"The embedded model has read {done} of {of} problems …"):
        return None
    progress.pop(key, None)
    found: Scores = outcome.value
    return found


def bounded(given: tuple[Problem, ...]) -> tuple[list[Problem], dict[str, int]]:
    """As many problems and traces as are read while a visitor waits, and what is left away."""
    left_out: Counter[str] = Counter()
    left_out[TOO_MANY] = max(0, len(given) - MOST_PROBLEMS)
    found = []
    for problem in given[:MOST_PROBLEMS]:
        short = [trace for trace in problem.traces if len(trace.text) <= MOST_CHARACTERS]
        left_out[TOO_LONG] += len(problem.traces) - len(short)
        left_out[TOO_MANY_TRACES] += max(0, len(short) - MOST_TRACES)
        if short:
            found.append(replace(problem, traces=tuple(short[:MOST_TRACES])))
    return found, {reason: n for reason, n in left_out.items() if n}


def _counting(scores: Scores, left_out: Mapping[str, int]) -> Scores:
    return replace(scores, left_out={**left_out, **scores.left_out})
