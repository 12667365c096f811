"""What the visitor chose: models, pairs, and the edits of the battery."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import streamlit as st

from app_pages.common import choices
from app_pages.common.markup import plain
from app_pages.common.model_choice import choose_lab_models
from app_pages.common.pair_choice import ChosenPairs, choose_pairs
from app_pages.common.service import MAIN_MODEL, model_titles
from core.labs.invariance.battery import BatteryOptions
from core.labs.invariance.tables import GROUP_TITLES
from core.labs.pairs import PAIR_TEXT_COLUMNS
from core.pair_sources import first_prompts
from core.perturbations import GROUP_MEANING, perturbations
from core.schema import content_id

NAME = "invariance"
"""Of the page: begins the keys of its widgets and state, and is the kind of its runs."""

one_of = partial(choices.one_of, NAME)
choice_key = partial(choices.choice_key, NAME)
one_model = partial(choices.one_model, NAME)

FIRST_PAIRS = 20
WIDE_PAIRS = 100
KNOWN_CASES = ("pocket-length", "pocket-flattery")

DEFAULT_EDITS = (
    "typos",
    "paraphrase",
    "typos-in-prompt",
    "expand-contractions",
    "small-letters-in-prompt",
    "extra-newlines",
    "swap-gender",
    "negate",
    "wrong-number",
    "drop-sentence",
    "truncate",
    "answer-another-question",
    "padding",
    "flattery",
    "agreement",
    "markdown",
    "confident-tone",
    "exclamation",
    "self-praise",
)
"""Edits a first run makes: those most audits ask about that fit the authored pairs. Edits that
repair a response are not among them, as the authored texts have nothing to repair."""


@dataclass(frozen=True)
class Setup:
    """The choices above the tabs.

    Attributes:
        models: ids.
        chosen: the pairs.
        options: the edits, and how their effects are judged; the noise floor is each model's own.
    """

    models: tuple[str, ...]
    chosen: ChosenPairs
    options: BatteryOptions

    @property
    def battery_inputs(self) -> list[object]:
        """Changes whenever the plan of edits does."""
        options = self.options
        return [self.chosen.key, list(options.perturbations), options.doses, options.seed]

    @property
    def battery_key(self) -> str:
        """Under which the battery of these choices is kept."""
        return content_id([self.battery_inputs, list(self.models), asdict(self.options)])

    @property
    def source_key(self) -> str:
        """Under which results of the other tabs are kept, whose pairs are of the same source."""
        pairs = self.chosen.source.pairs
        texts = [list(pairs[name]) for name in ("pair_id", "chosen", "rejected")]
        return content_id([self.chosen.source.name, texts, list(self.models)])

    def wide(self, n_pairs: int) -> ChosenPairs:
        """More pairs of the same source, for what costs only two readings a pair."""
        pairs = first_prompts(self.chosen.source.pairs, n_pairs)
        texts = pairs[list(PAIR_TEXT_COLUMNS)].to_dict(orient="records")
        python = self.chosen.python.replace(f", {len(self.chosen.pairs)})", f", {len(pairs)})")
        return ChosenPairs(self.chosen.source, pairs, content_id(texts), python)


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
        names = _chosen_edits()
        n_groups = len({each.group for each in perturbations() if each.name in names})
        label = f"Which edits · {len(names)} of {len(perturbations())} in {n_groups} groups"
        with st.popover(label, icon=":material/tune:", key=f"{NAME}-options"):
            options = _battery_options()
    return Setup(tuple(models), chosen, options)


def _known_cases(models: list[str]) -> None:
    """Tells of the models with a planted bias."""
    there = [name for name in KNOWN_CASES if name in model_titles() and name not in models]
    if there:
        st.caption(
            f"Known cases to add: {plain(', '.join(there))}. A bias of that kind was planted in "
            "their training data."
        )


def group_key(group: str) -> str:
    """Of the widget that chooses the edits of a group."""
    return f"{NAME}-edits-{group}"


def _names(group: str) -> list[str]:
    return [each.name for each in perturbations() if each.group == group]


def _chosen_edits() -> list[str]:
    """The edits as chosen now, in the library's order, before their widgets are drawn."""
    chosen: list[str] = []
    for group in GROUP_TITLES:
        own = _names(group)
        first = [name for name in own if name in DEFAULT_EDITS]
        kept = st.session_state.get(group_key(group), first)
        chosen += [name for name in own if name in set(kept or [])]
    return chosen


def _all_edits(wanted: Literal["all", "default", "none"]) -> None:
    """Chooses all, the first or no edits, from a button."""
    for group in GROUP_TITLES:
        own = _names(group)
        if wanted == "default":
            own = [name for name in own if name in DEFAULT_EDITS]
        st.session_state[group_key(group)] = own if wanted != "none" else []


def _battery_options() -> BatteryOptions:
    with st.container(horizontal=True, gap="small"):
        for label, wanted in (("All", "all"), ("The first choice", "default"), ("None", "none")):
            st.button(label, key=f"{NAME}-edits-{wanted}", on_click=_all_edits, args=(wanted,))
    titles = {each.name: each.title for each in perturbations()}
    chosen: list[str] = []
    for group, title in GROUP_TITLES.items():
        own = _names(group)
        field = group_key(group)
        first = {} if field in st.session_state else {
            "default": [name for name in own if name in DEFAULT_EDITS]
        }  # fmt: skip
        found = st.pills(
            f"{title.capitalize()} ({len(own)})",
            own,
            selection_mode="multi",
            format_func=lambda name: plain(titles[name]),
            key=field,
            help=GROUP_MEANING[group],  # type: ignore[index]
            persist_state="session",
            **first,
        )
        chosen += list(found or [])
    doses = st.toggle(
        "Every dose",
        True,
        key=f"{NAME}-doses",
        persist_state="session",
        help="Edits such as padding come in doses of 1, 2 and 4. All of them give a slope: how "
        "much reward one more sentence is worth.",
    )
    relevance = st.number_input(
        "Smallest change that matters",
        0.05,
        2.0,
        0.25,
        0.05,
        key=f"{NAME}-relevance",
        persist_state="session",
        help="In standard deviations of the unedited responses' rewards. “Did not move” is only "
        "said where a change of this size would probably have been found.",
    )
    seed = st.number_input(
        "Seed",
        0,
        2**31 - 1,
        0,
        key=f"{NAME}-seed",
        persist_state="session",
        help="Of the words that edits draw, and of the intervals.",
    )
    order = [each.name for each in perturbations()]
    return BatteryOptions(
        perturbations=tuple(sorted(chosen, key=order.index)),
        doses="all" if doses else "default",
        relevance=float(relevance),
        seed=int(seed),
    )


def number_of_pairs(setup: Setup, key: str, *, most: int = WIDE_PAIRS) -> int:
    """How many pairs a tab works on whose cost is two readings a pair."""
    available = len(setup.chosen.source.pairs)
    if available < 2:
        return available
    return int(
        st.number_input(
            "Pairs on this tab",
            1,
            available,
            min(most, available),
            key=f"{NAME}-{key}-n-{content_id([setup.chosen.source.name, available])}",
            persist_state="session",
            width=220,
            help="Of the same source. Only two conversations a pair are read here, so that more "
            "pairs than in the battery are affordable, and these methods need them.",
        )
    )
