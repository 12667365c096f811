"""What the visitor chose above the tabs: rollouts, which of them, and when two say the same."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.markup import plain
from app_pages.common.rollout_choice import RECORDED as RECORDED_RUNS
from app_pages.common.rollout_choice import ChosenRollouts, choose_rollouts
from core.labs.diversity.calibrated import NATURAL_THRESHOLD, RECORDED, calibrated_threshold
from core.labs.diversity.classes import LINKINGS, Linking, Method
from core.labs.diversity.classes import has_texts as reads_texts
from core.rollouts.recorded import collections
from core.schema import content_id

NAME = "diversity"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

one_of = partial(choices.one_of, NAME)

COLLECTIONS = ("temperatures", "collapse")
MOST_ROWS = 20_000
"""Above so many rows, whole problems are drawn at random: every group is compared in pairs."""
ALL_STEPS = "all steps"
SAME_AS_ANSWER = 0.5
"""Where no more than this share of the responses says more than its answer, there are no texts to
compare: an embedding of a bare number means nothing."""

METHOD_NAMES: dict[Method, str] = {
    "exact": "same answer",
    "tf-idf": "TF-IDF",
    "jaccard": "shared words",
    "token-overlap": "token rule",
    "n-gram": "4-grams",
    "embedding": "embeddings",
    "classifier": "classifier",
    "given": "your classes",
}
METHOD_HELP = (
    "When do two responses say the same? Same answer: their final answers are equal. All others "
    "compare the texts: cosine of word counts weighted by rarity (TF-IDF, the default: it agreed "
    "best with people, see Calibration), shared words, the paper's token rule without its bound on "
    "length, shared runs of four words, cosine of sentence embeddings, and a small classifier "
    "trained on labelled pairs. A column `class_id`, from a classifier of your own, is taken at "
    "its word (“your classes”)."
)
THRESHOLD_HELP = (
    "At or above this similarity two responses count as saying the same. It starts where the "
    "method agrees best with people on labelled pairs. Texts of at most five words are judged by "
    "the paper's rule for short texts instead."
)
LINKING_HELP = (
    "Transitive: whatever a chain of like pairs connects is one class, as in the paper's training. "
    "Greedy: a response joins the first class whose first member it is like, as in its evaluation."
)


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        chosen: the rollouts.
        table: those of them that are compared, index from 0 up.
        whole: all of the chosen split and step, for the map, which compares no pairs.
        method: what compares two responses.
        threshold: at or above it they say the same.
        linking: how pairs become classes.
        notes: what was left out of the table.
        python: the lines that give `rollouts` as in `table`.
    """

    chosen: ChosenRollouts
    table: pd.DataFrame
    whole: pd.DataFrame
    method: Method
    threshold: float
    linking: Linking
    notes: tuple[str, ...]
    scope: tuple[str, ...]
    python: str

    @property
    def table_key(self) -> str:
        """Changes whenever the rows do."""
        return content_id([self.chosen.key, list(self.scope)])


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there are no rollouts."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        collection = _collection()
        chosen = choose_rollouts(NAME, collection=collection, needs=("reward",))
    if chosen is None:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        table, scope, lines = _scope(chosen)
        method = _method(table)
        threshold = _threshold(method)
        linking: Linking = one_of("Classes", list(LINKINGS), "linking", hint=LINKING_HELP)
    whole = with_method(table)
    table, notes = _at_most(whole)
    for note in (*chosen.notes, *notes):
        st.caption(f":material/info: {plain(note)}")
    return Setup(chosen, table, whole, method, threshold, linking, notes, scope, lines)


def with_method(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `method`: the part of the run's name before its first slash."""
    if "method" in table.columns:
        return table
    return table.assign(method=[str(run).partition("/")[0] for run in table["run"]])


def _collection() -> str:
    there = [each.name for each in collections() if each.name in COLLECTIONS]
    there.sort(key=COLLECTIONS.index)
    if st.session_state.get(f"{NAME}-rollouts", RECORDED_RUNS) != RECORDED_RUNS or not there:
        return COLLECTIONS[0]
    names = {"temperatures": "Open prompts, by temperature", "collapse": "Arithmetic, by method"}
    return one_of(
        "Experiment",
        there,
        "collection",
        names,
        hint="Open prompts: texts of one model at five temperatures, with a reward model's reward. "
        "Arithmetic: short answers of policies trained in several ways, right or wrong.",
    )


def _scope(chosen: ChosenRollouts) -> tuple[pd.DataFrame, tuple[str, ...], str]:
    """The rows of one split and step, what was chosen, and the lines of Python for it."""
    table, scope, lines = chosen.table, [], [chosen.python]
    if "split" in table.columns and table["split"].nunique() > 1:
        splits = sorted(str(each) for each in table["split"].dropna().unique())
        split = one_of("Rollouts", splits, "split", hint="Which of the recorded samples.")
        table = table.loc[table["split"] == split]
        scope.append(f"split {split}")
        lines.append(f"rollouts = rollouts.loc[rollouts['split'] == {split!r}]")
    steps = sorted(int(each) for each in table["step"].dropna().unique())
    if len(steps) > 1:
        options = [*reversed(steps), ALL_STEPS]
        step = st.selectbox(
            "Step",
            options,
            key=f"{NAME}-step-{content_id([chosen.key, scope, steps])}",
            persist_state="session",
            width=120,
            help="Groups are the samples of one problem at one step. The last step is shown first.",
        )
        if step != ALL_STEPS:
            table = table.loc[table["step"] == step]
            lines.append(f"rollouts = rollouts.loc[rollouts['step'] == {step}]")
        scope.append(f"step {step}")
    return table.reset_index(drop=True), tuple(scope), "\n".join(lines)


def has_texts(table: pd.DataFrame) -> bool:
    """Whether responses say more than their answers do."""
    if "response" not in table.columns:
        return False
    texts = table["response"].dropna()
    if texts.empty or "answer" not in table.columns:
        return not texts.empty
    # Numbers written out are compared as texts: a policy's "007" is read as the answer 7.
    stripped = texts.str.strip().str.lstrip("0")
    answers = table["answer"].reindex(texts.index).astype("object").fillna("").astype(str)
    return bool((stripped != answers.str.lstrip("0")).mean() > SAME_AS_ANSWER)


def _method(table: pd.DataFrame) -> Method:
    has_text = has_texts(table)
    has_answer = "answer" in table.columns and bool(table["answer"].notna().any())
    of_texts: list[Method] = [each.method for each in RECORDED if reads_texts(each.method)]
    options: list[Method] = of_texts if has_text else []
    if has_answer:
        # Answers are what is judged right or wrong: where there are any, they say what is the same.
        options = ["exact", *options]
    if "class_id" in table.columns and table["class_id"].notna().any():
        options = ["given", *options]
    return one_of("Same if", options or ["exact"], "method", METHOD_NAMES, hint=METHOD_HELP)


def _threshold(method: Method) -> float:
    start = calibrated_threshold(method)
    if method in NATURAL_THRESHOLD:
        return start
    return float(
        st.slider(
            "Threshold",
            0.0,
            1.0,
            round(start, 3),
            0.005,
            key=f"{NAME}-threshold-{method}",
            persist_state="session",
            width=220,
            help=THRESHOLD_HELP,
        )
    )


def _at_most(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Whole problems, drawn at random, until there are no more rows than can be compared."""
    if len(table) <= MOST_ROWS:
        return table, ()
    problems = table["problem_id"].unique()
    drawn = np.random.default_rng(0).permutation(len(problems))
    sizes = table["problem_id"].value_counts().reindex(problems).to_numpy()[drawn]
    keep = problems[drawn[: max(1, int((sizes.cumsum() <= MOST_ROWS).sum()))]]
    kept = table.loc[table["problem_id"].isin(keep)].reset_index(drop=True)
    note = (
        f"{len(kept):,} of {len(table):,} rollouts: those of {len(keep):,} of {len(problems):,} "
        "problems, drawn at random, as every two of a group are compared."
    )
    return kept, (note,)
