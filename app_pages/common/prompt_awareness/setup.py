"""What the visitor chose: models, pairs, and the other prompts the pairs are read under."""

from dataclasses import asdict, dataclass
from functools import partial

import pandas as pd
import streamlit as st

from app_pages.common import choices
from app_pages.common.markup import plain
from app_pages.common.model_choice import choose_lab_models
from app_pages.common.pair_choice import ChosenPairs, choose_pairs
from app_pages.common.service import MAIN_MODEL, model_titles
from core.labs.pairs import slice_columns
from core.labs.prompt_awareness.other_prompts import KIND_MEANING, SWAP_KINDS, SwapKind
from core.labs.prompt_awareness.swaps import SwapOptions
from core.pair_sources import authored_pairs
from core.schema import content_id

NAME = "prompt-awareness"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

one_of = partial(choices.one_of, NAME)
choice_key = partial(choices.choice_key, NAME)
one_model = partial(choices.one_model, NAME)

FIRST_PAIRS = 30
KNOWN_CASES = ("pocket-blind", "pocket-aware")
NO_COLUMN = "–"
LIKELY_SLICE = "flaw"

DRAWN_KINDS: tuple[SwapKind, ...] = tuple(kind for kind in SWAP_KINDS if kind != "typed")
DEFAULT_KINDS: tuple[SwapKind, ...] = ("random", "same-topic", "contradictory", "empty")


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        models: ids.
        chosen: the pairs.
        options: which other prompts.
        foreign_pool: whether other prompts come from the authored pairs, because the chosen ones
            have too few prompts of their own.
    """

    models: tuple[str, ...]
    chosen: ChosenPairs
    options: SwapOptions
    foreign_pool: bool

    @property
    def pairs_key(self) -> str:
        """Changes whenever the pairs or the models do."""
        return content_id([self.chosen.key, list(self.models)])

    @property
    def inputs(self) -> list[object]:
        """Changes whenever the plan of swapped prompts does."""
        columns = [self.options.slice_by, self.options.topic_column]
        values = [
            [str(value) for value in self.chosen.pairs[name]]
            for name in columns
            if name is not None
        ]
        return [self.chosen.key, asdict(self.options), self.foreign_pool, values]

    def pool(self) -> pd.DataFrame | None:
        """Where other prompts come from; None for the pairs themselves."""
        if not self.foreign_pool:
            return None
        columns = ["prompt_id", "prompt"]
        authored = authored_pairs().pairs[columns]
        return pd.concat([self.chosen.pairs[columns], authored], ignore_index=True)


def choose_setup() -> Setup | None:
    """The controls above the tabs; None while there are no pairs."""
    left, right = st.columns([0.36, 0.64], gap="medium")
    with left:
        models = choose_lab_models(NAME, default=[MAIN_MODEL])
        _known_cases(models)
    with right:
        chosen = choose_pairs(NAME, most=FIRST_PAIRS)
        if chosen is None:
            return None
        with st.popover("Which other prompts", icon=":material/tune:", key=f"{NAME}-options"):
            options, foreign = _swap_options(chosen.pairs)
    if foreign:
        st.caption(
            ":material/info: These pairs have too few prompts of their own; random and same-topic "
            "prompts are drawn from the authored pairs."
        )
    return Setup(tuple(models), chosen, options, foreign)


def _known_cases(models: list[str]) -> None:
    """Tells of the models made so that the right answer is known."""
    there = [name for name in KNOWN_CASES if name in model_titles() and name not in models]
    if there:
        st.caption(
            f"Known cases to add: {plain(', '.join(there))}. The first was never trained with its "
            "own prompts, the second to need them."
            if len(there) == len(KNOWN_CASES)
            else f"A known case to add: {plain(there[0])}."
        )


def _swap_options(pairs: pd.DataFrame) -> tuple[SwapOptions, bool]:
    kinds = st.pills(
        "Kinds",
        DRAWN_KINDS,
        selection_mode="multi",
        default=DEFAULT_KINDS,
        key=f"{NAME}-kinds",
        persist_state="session",
    )
    for kind in DRAWN_KINDS:
        st.caption(f"**{kind}** · {KIND_MEANING[kind]}")
    n_prompts = st.number_input(
        "Other prompts of each kind",
        1,
        20,
        3,
        key=f"{NAME}-n-prompts",
        persist_state="session",
        help="For each pair. More prompts narrow each pair's own mean; more pairs narrow the "
        "interval.",
    )
    foreign = pairs["prompt_id"].nunique() <= int(n_prompts)
    columns = slice_columns(pairs)
    topic = _column(
        "One topic is one value of",
        "topic",
        [] if foreign else columns,
        hint="By default the prompts with the most similar words count as the same topic.",
    )
    sliced = _column(
        "Break down by",
        "slice",
        columns,
        first=LIKELY_SLICE,
        hint="Some preferences rightly need no prompt (fluency, safety). Slices tell them apart.",
    )
    seed = st.number_input(
        "Seed",
        0,
        2**31 - 1,
        0,
        key=f"{NAME}-seed",
        persist_state="session",
        help="Of the prompts that are drawn and of the intervals.",
    )
    options = SwapOptions(
        kinds=tuple(kind for kind in DRAWN_KINDS if kind in set(kinds or DEFAULT_KINDS)),
        n_prompts=int(n_prompts),
        topic_column=topic,
        slice_by=sliced,
        seed=int(seed),
    )
    return options, foreign


def _column(
    label: str, key: str, columns: list[str], *, hint: str, first: str = NO_COLUMN
) -> str | None:
    """A column of the user's, or None; the choice is forgotten with the columns."""
    if not columns:
        return None
    names = [NO_COLUMN, *columns]
    chosen = st.selectbox(
        label,
        names,
        index=names.index(first) if first in names else 0,
        key=f"{NAME}-{key}-{content_id(names)}",
        persist_state="session",
        help=hint,
    )
    return None if chosen == NO_COLUMN else str(chosen)
