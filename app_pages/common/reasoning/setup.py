"""What the visitor chose: whose judgements, and how their votes are counted."""

from dataclasses import dataclass
from functools import partial

import streamlit as st

from app_pages.common import choices
from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from core.errors import WorkbenchError
from core.judgements import (
    RecordedJudgements,
    read_judgement_files,
    read_judgements,
    recorded_judgements,
)
from core.labs.reasoning.ballots import (
    HANDLING_MEANING,
    HANDLINGS,
    Ballots,
    Filter,
    Handling,
    ballots_of,
)
from core.labs.reasoning.curves import VotingOptions
from core.labs.reasoning.judgements import Judgements
from core.labs.reasoning.voting import TIE_MEANING, TIE_POLICIES, TiePolicy
from core.models.judges.formats import FORMATS
from core.schema import content_id

NAME = "reasoning"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

RECORDED, UPLOAD = "Recorded judgements", "My file"
AS_WRITTEN = "as the columns say"
SHOWN_PROBLEMS = 20
FILE_HELP = (
    "One row a judgement: item_id, and verdict (A, B, … or tie) or scores (a list, one a "
    "candidate). Where there are any: order (such as BA, the letters as shown), sample, judge, "
    "n_tokens, meta_score, confidence, temperature, raw. Best (the right winner's letter), subset, "
    "prompt and responses may stand beside them or in a second file of items."
)
NO_RECORDING = (
    "No recorded judgements are installed. Upload your own, or watch a judge at work in the tab "
    "Live; the tournaments can be played with a simulated judge."
)

one_of = partial(choices.one_of, NAME)


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        words: where the judgements come from, in a sentence.
        judgements: of one judge.
        ballots: their votes; None where no item has a known winner.
        why_not: why there are none.
        judge: its name.
        handling: of the orders.
        filter_by: what judgements are filtered by.
        options: how votes are counted.
        recorded: the recording, None for a file.
        python: the lines that give `judgements` in a script.
        key: changes whenever any of this does.
    """

    words: str
    judgements: Judgements
    ballots: Ballots | None
    why_not: str
    judge: str
    handling: Handling
    filter_by: Filter
    options: VotingOptions
    recorded: RecordedJudgements | None
    python: str
    key: str


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there are no judgements."""
    found = recorded_judgements()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        source = one_of(
            "Judgements from",
            [*([RECORDED] if found else []), UPLOAD],
            "source",
            hint="Recorded judgements come with the workbench: a small model wrote them, so expect "
            "little of it. A file is your own, of any judge.",
        )
        recorded = _one_recording(found) if source == RECORDED else None
    if not found:
        st.info(NO_RECORDING, icon=":material/info:")
    try:
        given = _recorded(recorded) if recorded is not None else _uploaded()
        return _with_choices(*given, recorded) if given is not None else None
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _one_recording(found: tuple[RecordedJudgements, ...]) -> RecordedJudgements:
    by_name = {each.name: each for each in found}
    name = one_of(
        "Recording", list(by_name), "recording", {n: each.title for n, each in by_name.items()}
    )
    return by_name[name]


def _recorded(found: RecordedJudgements) -> tuple[Judgements, str, str, str] | None:
    outcome = tasks().outcome(
        ("judgements", found.name, str(found.folder)), lambda: read_judgements(found.name)
    )
    if not is_there(outcome, "Reading the recorded judgements …"):
        return None
    python = (
        "from core.judgements import read_judgements\n\n"
        f"judgements = read_judgements({found.name!r})"
    )
    return outcome.value, f"Recorded: {found.title}.", python, found.name


def _uploaded() -> tuple[Judgements, str, str, str] | None:
    left, right = st.columns(2, gap="medium")
    kinds = ["csv", "tsv", "jsonl", "json", "parquet"]
    file = left.file_uploader("Judgements", type=kinds, key=f"{NAME}-file", help=FILE_HELP)
    second = right.file_uploader(
        "Items, where they are in a file of their own", type=kinds, key=f"{NAME}-items",
        help="One row an item: item_id, prompt, responses (a list), best, subset; scalar_rewards "
        "(a list) where a scalar model has scored them.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        form = st.selectbox(
            "Read verdicts",
            [AS_WRITTEN, *FORMATS],
            key=f"{NAME}-format",
            persist_state="session",
            help="As the columns verdict and scores say, or read again out of the raw texts by one "
            "of the judging formats.",
        )
        as_shown = st.toggle(
            "By position",
            key=f"{NAME}-as-shown",
            persist_state="session",
            help="On: A in the file is the response shown first, so verdicts and scores of BA are "
            "turned back before anything is added up. Off: A is always the same response.",
        )
    if file is None:
        st.caption(FILE_HELP)
        return None
    data, items = file.getvalue(), second.getvalue() if second is not None else None
    format_name = "" if form in (None, AS_WRITTEN) else str(form)
    key = content_id([file.name, hash(data), hash(items), as_shown, format_name])
    outcome = tasks().outcome(
        ("judgement-file", key),
        lambda: read_judgement_files(
            data, file.name, items, second.name if second is not None else "",
            as_shown=as_shown, format_name=format_name,
        ),
    )  # fmt: skip
    if not is_there(outcome, "Reading the file …"):
        return None
    extra = (
        f", items=Path({second.name!r}).read_bytes(), items_name={second.name!r}" if second else ""
    )
    if as_shown:
        extra += ", as_shown=True"
    if format_name:
        extra += f", format_name={format_name!r}"
    python = (
        "from pathlib import Path\n\nfrom core.judgements import read_judgement_files\n\n"
        f"judgements = read_judgement_files(Path({file.name!r}).read_bytes(), {file.name!r}{extra})"
    )
    return outcome.value, f"From the file {file.name}.", python, key


def _with_choices(
    given: Judgements, words: str, python: str, key: str, recorded: RecordedJudgements | None
) -> Setup:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        judge = str(one_of("Judge", given.judges, "judge", hint="Whose judgements are counted."))
        chosen = given.at(judge=judge)
        temperature = _temperature(chosen)
        if temperature is not None:
            chosen = chosen.at(temperature=temperature)
        with st.popover("How votes are counted", icon=":material/tune:"):
            handling, filter_by, options = _counting(chosen)
    script = f"{python}\njudgements = judgements.at(judge={judge!r})"
    if temperature is not None:
        script += f".at(temperature={temperature!r})"
    ballots, why_not = None, ""
    try:
        ballots = ballots_of(chosen, handling=handling, filter_by=filter_by)
    except WorkbenchError as error:
        why_not = str(error)
    _told(chosen, ballots)
    return Setup(
        words=words,
        judgements=chosen,
        ballots=ballots,
        why_not=why_not,
        judge=judge,
        handling=handling,
        filter_by=filter_by,
        options=options,
        recorded=recorded,
        python=script,
        key=content_id([key, judge, temperature, handling, filter_by, repr(options)]),
    )


def _temperature(judgements: Judgements) -> float | None:
    """One of several temperatures, or None for all of them."""
    known = judgements.temperatures
    if len(known) < 2:
        return None
    everything = "all"
    chosen = one_of(
        "Temperature", [everything, *(f"{each:g}" for each in known)], "temperature",
        hint="Only judgements drawn at this temperature.",
    )  # fmt: skip
    return None if chosen == everything else next(t for t in known if f"{t:g}" == chosen)


def _counting(judgements: Judgements) -> tuple[Handling, Filter, VotingOptions]:
    pairs = (judgements.items["n_candidates"] == 2).all()
    both = {"AB", "BA"} <= set(judgements.table["order"])
    handling: Handling = one_of(
        "Orders",
        HANDLINGS if pairs and both else HANDLINGS[:2],
        "handling",
        {"both": "all alike", "own": "own order only", "agree": "must agree"},
        hint="; ".join(f"{name}: {meaning}" for name, meaning in HANDLING_MEANING.items()),
    )
    ties: TiePolicy = one_of(
        "Ties",
        TIE_POLICIES,
        "ties",
        {"share": "shared", "first": "first wins", "wrong": "wrong"},
        hint="; ".join(f"{name}: {meaning}" for name, meaning in TIE_MEANING.items()),
    )
    has_meta = bool(judgements.table["meta_score"].notna().any())
    filter_by: Filter = one_of(
        "Filter by",
        ("meta_score", "confidence") if has_meta else ("confidence",),
        "filter",
        {"meta_score": "meta score", "confidence": "own confidence"},
        hint="Meta score: what a second model thinks of each judgement (DeepSeek-GRM). Own "
        "confidence: the probability of the verdict, our stand-in where no second model read them.",
    )
    if not has_meta and not judgements.table["confidence"].notna().any():
        st.caption("Nothing to filter by: neither meta scores nor confidences are known.")
        return handling, filter_by, VotingOptions(ties=ties)
    keep = st.slider(
        "Share of k the filter keeps", 0.1, 1.0, 0.5, 0.1, key=f"{NAME}-keep",
        persist_state="session", help="DeepSeek-GRM keeps half: k_meta = k / 2, rounded up here.",
    )  # fmt: skip
    return handling, filter_by, VotingOptions(ties=ties, keep=float(keep))


def _told(judgements: Judgements, ballots: Ballots | None) -> None:
    """What is there and what of it does not count."""
    table, n_unread = judgements.table, judgements.n_unread
    parts = [
        f"{len(table):,} judgements of {len(judgements.items):,} items",
        f"{n_unread:,} could not be read ({n_unread / max(1, len(table)):.0%})",
    ]
    if ballots is not None:
        parts.append(f"{ballots.k_max} votes an item, {len(ballots):,} items counted")
    st.caption(f":material/check_circle: {'; '.join(parts)}.")
    left_out = dict(judgements.left_out) | dict(ballots.left_out if ballots is not None else {})
    problems = judgements.problems
    if not (left_out or problems or judgements.notes):
        return
    n_left_out = sum(left_out.values())
    label = f"How it was read: {n_left_out:,} left out, {len(problems):,} cells to look at"
    with st.expander(label, icon=":material/info:"):
        for note in judgements.notes:
            st.text(note)
        for reason, n in left_out.items():
            st.text(f"{n:,}: {reason}")
        for problem in problems[:SHOWN_PROBLEMS]:
            st.text(str(problem))
