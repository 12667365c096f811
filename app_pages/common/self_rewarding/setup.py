"""Which runs the page looks at: their samples, and their pairs where these were recorded."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.rollout_choice import ChosenRollouts, choose_rollouts
from core.errors import WorkbenchError
from core.labs.self_rewarding.generations import Generations, read_generations
from core.labs.self_rewarding.pairs import CURRENT, SOURCES
from core.rollouts.recorded import collection, read_table

NAME = "self-rewarding"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

COLLECTION = "self-rewarding"
PAIRS = "pairs"

one_of = partial(choices.one_of, NAME)


@dataclass(frozen=True)
class Setup:
    """The runs that were chosen.

    Attributes:
        chosen: the rollouts.
        generations: the samples in them.
        before_updates: those of iterations that end with an update, as far as that is known: the
            last samples of a recorded run come after its last update.
        recorded: the pairs that the runs trained on; None where only samples are there.
        notes: what was assumed about the samples, a sentence each.
    """

    chosen: ChosenRollouts
    generations: Generations
    before_updates: Generations
    recorded: pd.DataFrame | None
    notes: tuple[str, ...]

    @property
    def key(self) -> str:
        """Changes whenever the runs do."""
        return self.chosen.key

    @property
    def methods(self) -> list[str]:
        """How the runs were trained, in their order."""
        return [str(name) for name in dict.fromkeys(self.generations.table["method"])]

    @property
    def prompts(self) -> dict[str, str]:
        """Text of each problem, as far as it is known."""
        table = self.generations.table
        if "prompt" not in table.columns:
            return {}
        known = table.loc[table["prompt"].notna(), ["problem_id", "prompt"]]
        distinct = known.drop_duplicates("problem_id").set_index("problem_id")["prompt"]
        return {str(name): str(text) for name, text in distinct.items()}


def choose_runs() -> ChosenRollouts | None:
    """The control for the runs; None (with what to do) while there are none."""
    return choose_rollouts(NAME, collection=COLLECTION, needs=("reward",))


def read_setup(chosen: ChosenRollouts) -> Setup | None:
    """The samples and pairs of the runs; None while they are read. Draws what was assumed."""
    outcome = tasks().outcome((NAME, "read", chosen.key), lambda: _read(chosen))
    if not is_there(outcome, "Reading the samples …"):
        return None
    found: Setup = outcome.value
    for note in (*chosen.notes, *found.notes):
        st.caption(f":material/info: {plain(note)}")
    return found


def with_source(rollouts: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rollouts whose column `source` says who drew each sample; the current model where none is."""
    if "source" in rollouts.columns and rollouts["source"].isin(SOURCES).any():
        n_other = int((~rollouts["source"].isin(SOURCES)).sum())
        if not n_other:
            return rollouts, ()
        left_out = f"{n_other:,} rollouts left out: their source is none of M0, Mi, Mf."
        return rollouts, (left_out,)
    note = (
        "No column source says who drew each sample (M0, Mi or Mf), so all count as samples of the "
        "model of their step, and the first step's as those of the first model."
    )
    return rollouts.assign(source=CURRENT), (note,)


def _read(chosen: ChosenRollouts) -> Setup:
    table, notes = with_source(chosen.table)
    recorded = _recorded_pairs(chosen)
    if recorded is None:
        notes = (
            *notes,
            "These are samples without the pairs that were trained on: pairs are built from them "
            "by the classic rule, and nothing is known of DPO's loss.",
        )
    generations = read_generations(table)
    return Setup(chosen, generations, _before_updates(generations, recorded), recorded, notes)


def _before_updates(generations: Generations, pairs: pd.DataFrame | None) -> Generations:
    if pairs is None:
        return generations
    updates = pairs[["run", "iteration"]].drop_duplicates()
    return Generations(generations.table.merge(updates), generations.borrowed)


def _recorded_pairs(chosen: ChosenRollouts) -> pd.DataFrame | None:
    if chosen.collection is None:
        return None
    try:
        pairs = read_table(chosen.collection, PAIRS)
    except WorkbenchError:
        return None
    small = pairs.select_dtypes("float32").columns
    return pairs.astype(dict.fromkeys(small, "float64"))


def recorded_runs(setup: Setup) -> None:
    """What was recorded and what came out, as the card tells it; nothing for own rollouts."""
    if setup.chosen.collection is None:
        return
    card = collection(setup.chosen.collection)
    label = f"How these {len(card.runs)} runs were made, and what came out"
    with st.expander(label, icon=":material/inventory_2:"):
        st.markdown(plain(card.description))
        for finding in card.findings:
            st.markdown(f"- {plain(finding)}")
        st.code(card.command, language="sh")
