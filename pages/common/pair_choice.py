"""Which pairs a lab works on: authored ones, an upload, or what is in the playground."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.errors import WorkbenchError
from core.pair_sources import PairSource, authored_pairs, pairs_of_table, typed_pair
from core.schema import content_id
from core.tables import parse_table, read_conversations
from pages.common.markup import plain
from pages.common.session import workspace

AUTHORED, UPLOAD, TYPED = "Authored pairs, held out", "My file", "The pair in the playground"
FILE_TYPES = ["jsonl", "json", "csv", "parquet", "gz"]
SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class ChosenPairs:
    """The pairs a visitor chose.

    Attributes:
        source: where they come from, with what was left out of it.
        pairs: those that are used, at most as many as the visitor wants.
        key: changes whenever the pairs do.
    """

    source: PairSource
    pairs: pd.DataFrame
    key: str


def choose_pairs(name: str, *, most: int = 100) -> ChosenPairs | None:
    """The control for the pairs; None (with what to do) while there are none.

    Args:
        name: of the lab, for the widgets' keys.
        most: pairs used at first; the visitor may raise it.
    """
    left, right = st.columns([0.7, 0.3], vertical_alignment="bottom")
    with left:
        where = st.segmented_control(
            "Pairs", [AUTHORED, UPLOAD, TYPED], default=AUTHORED, key=f"{name}-pairs", required=True
        )
    source = _guarded(lambda: _source(name, where))
    if source is None:
        return None
    n_pairs = len(source.pairs)
    with right:
        wanted = n_pairs
        if n_pairs > 1:
            wanted = st.number_input(
                "How many pairs",
                1,
                n_pairs,
                min(most, n_pairs),
                key=f"{name}-n-{where}",
                help="Whole prompts are drawn at random, always the same ones.",
            )
    _problems(source)
    pairs = first_prompts(source.pairs, int(wanted))
    texts = pairs[["pair_id", "prompt", "chosen", "rejected"]].to_dict(orient="records")
    return ChosenPairs(source, pairs, content_id(texts))


def first_prompts(pairs: pd.DataFrame, n_pairs: int) -> pd.DataFrame:
    """At most `n_pairs` pairs: prompts in an order drawn once, their pairs together."""
    if n_pairs >= len(pairs):
        return pairs
    prompts = pairs["prompt_id"].drop_duplicates().sample(frac=1, random_state=0)
    order = pairs["prompt_id"].map({prompt: place for place, prompt in enumerate(prompts)})
    return pairs.iloc[order.argsort(kind="stable")[:n_pairs]].sort_index().reset_index(drop=True)


def _guarded(make: Callable[[], PairSource | None]) -> PairSource | None:
    try:
        return make()
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _source(name: str, where: str | None) -> PairSource | None:
    if where == TYPED:
        space = workspace()
        if space.conversation is None:
            st.info("The conversation in the playground is not complete yet.")
            return None
        pair = typed_pair(space.tree.pinned.messages, space.conversation)
        st.caption("Chosen: the pinned baseline. Rejected: the version on screen.")
        return pair
    if where == UPLOAD:
        file = st.file_uploader(
            "A table of pairs",
            FILE_TYPES,
            key=f"{name}-file",
            help="Columns prompt, chosen and rejected (texts or message lists), or any shape that "
            "the command `reward-workbench score` reads. Other columns become slices.",
        )
        if file is None:
            st.caption("JSON lines, JSON, CSV or Parquet with prompt, chosen and rejected.")
            return None
        return _read_upload(file.getvalue(), file.name)
    return _authored()


@st.cache_data(show_spinner=False)
def _authored() -> PairSource:
    return authored_pairs()


@st.cache_data(show_spinner="Reading the file …", max_entries=8)
def _read_upload(data: bytes, name: str) -> PairSource:
    return pairs_of_table(read_conversations(parse_table(data, name)))


def _problems(source: PairSource) -> None:
    n_left_out = sum(source.left_out.values())
    if not source.problems and not n_left_out:
        return
    with st.expander(f"{len(source.problems)} problems, {n_left_out} pairs left out"):
        for reason, count in source.left_out.items():
            st.text(f"{count} pairs: {reason}")
        for problem in source.problems[:SHOWN_PROBLEMS]:
            st.text(str(problem))
        if len(source.problems) > SHOWN_PROBLEMS:
            st.caption(f"… and {len(source.problems) - SHOWN_PROBLEMS} more")
