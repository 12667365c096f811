"""Which rollouts and which definitions the page works with, and the result made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app_pages.common.background import steady_outcome
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.rollout_choice import ChosenRollouts, choose_rollouts
from core.figures.collapse import MOST_BANDS
from core.labs.collapse.analysis import (
    CollapseOptions,
    CollapseResult,
    analyse,
    options_as_json,
)
from core.labs.collapse.classes import ClassOptions
from core.labs.collapse.counts import method_of
from core.labs.collapse.spread import UNSOLVED, SpreadOptions
from core.schema import content_id

NAME = "collapse"


@dataclass(frozen=True)
class Setup:
    """What the tabs draw from.

    Attributes:
        chosen: the rollouts.
        result: what was found in them.
    """

    chosen: ChosenRollouts
    result: CollapseResult

    @property
    def options(self) -> CollapseOptions:
        """The definitions in use."""
        return self.result.options

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods in the order of the rollouts, the base last."""
        base = {method_of(run) for run in self.result.base_runs}
        found = dict.fromkeys(method_of(run) for run in self.chosen.runs)
        return (*(name for name in found if name not in base), *(n for n in found if n in base))


def choose_methods(setup: Setup) -> list[str]:
    """Which methods the lines are drawn of; all of them where none is picked."""
    if len(setup.methods) < 3:
        return list(setup.methods)
    picked = st.pills(
        "Methods drawn", setup.methods, selection_mode="multi", default=setup.methods,
        key=f"{NAME}-methods-{content_id(list(setup.methods))}", format_func=plain,
        persist_state="session",
        help=f"Up to {MOST_BANDS} are drawn with their intervals as bands; of more, the bands hide "
        "each other and the intervals are in the texts under the pointer.",
    )  # fmt: skip
    return [name for name in setup.methods if not picked or name in picked]


def problem_names(table: pd.DataFrame, problems: Sequence[str]) -> list[str]:
    """Texts of the problems where they are known, else their ids."""
    if "prompt" not in table:
        return list(problems)
    known = table.loc[table["problem_id"].isin(list(problems)), ["problem_id", "prompt"]]
    texts = known.dropna().drop_duplicates("problem_id").set_index("problem_id")["prompt"]
    return [" ".join(str(texts.get(name, name)).split()) or name for name in problems]


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there is nothing to show yet."""
    chosen = choose_rollouts(NAME, collection=NAME, needs=("answer",))
    if chosen is None:
        return None
    options = _options()
    # A folder that fills while this counts keeps its last result on the screen.
    choices = content_id(
        [chosen.collection, chosen.source, list(chosen.base_runs), options_as_json(options)]
    )
    outcome = steady_outcome(
        NAME,
        choices,
        chosen.key,
        lambda: Setup(chosen, analyse(chosen.table, chosen.base_runs, options)),
    )
    if not is_there(outcome, "Counting the answers …"):
        return None
    found: Setup = outcome.value
    return found


def _options() -> CollapseOptions:
    with st.expander("Definitions", icon=":material/tune:"):
        first, second, third = st.columns(3, gap="medium")
        with first:
            unreadable = st.selectbox(
                "Answers that could not be read",
                ["bucket", "excluded"],
                format_func={"bucket": "count as one answer", "excluded": "are no answer"}.get,
                key=f"{NAME}-unreadable",
                persist_state="session",
                help="One bucket: all of them together are one distinct answer. Excluded: they use "
                "up samples and are wrong, but are no distinct answer.",
            )
            share = st.slider(
                "Early and late window", 0.05, 0.5, 0.25, 0.05, key=f"{NAME}-share",
                persist_state="session",
                help="Share of the training steps in the early window, and as many in the late "
                "one. Changes are late minus early.",
            )  # fmt: skip
        with second:
            k = st.select_slider(
                "k of the changes", [2, 4, 8, 16, 32], 8, key=f"{NAME}-k",
                persist_state="session",
                help="Samples among which pass@k and distinct answers are read when early and late "
                "are compared.",
            )  # fmt: skip
            unsolved = st.selectbox(
                "Unsolved means never solved", list(UNSOLVED), key=f"{NAME}-unsolved",
                persist_state="session",
                help="A problem is never-rewarded when no sample of the run was right; the "
                "stricter reading asks the same of the base runs.",
            )  # fmt: skip
        with third:
            collapsed = st.slider(
                "Collapsed from a majority share of", 0.5, 1.0, 0.9, 0.05, key=f"{NAME}-collapsed",
                persist_state="session",
                help="Share of a window's answers that must be one and the same.",
            )  # fmt: skip
            windows = st.slider(
                "Windows of steps for the classes", 2, 8, 4, key=f"{NAME}-windows",
                persist_state="session",
                help="The steps are cut into so many windows; each problem has one class in each.",
            )  # fmt: skip
    return CollapseOptions(
        unreadable="excluded" if unreadable == "excluded" else "bucket",
        share=float(share),
        k=int(k),
        classes=ClassOptions(n_windows=int(windows), collapsed_from=float(collapsed)),
        spread=SpreadOptions(unsolved=UNSOLVED[list(UNSOLVED).index(unsolved)], k=int(k)),
    )
