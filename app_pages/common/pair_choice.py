"""Which pairs a lab works on: authored ones, an upload, or what is in the playground."""

from collections.abc import Callable
from dataclasses import dataclass
from pprint import pformat

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.session import workspace
from core.errors import WorkbenchError
from core.pair_sources import (
    PairSource,
    authored_pairs,
    first_prompts,
    pairs_of_table,
    typed_pair,
)
from core.schema import content_id
from core.tables import parse_table, read_conversations

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
        python: the lines that give `pairs` in a script.
    """

    source: PairSource
    pairs: pd.DataFrame
    key: str
    python: str = ""


def choose_pairs(name: str, *, most: int = 100) -> ChosenPairs | None:
    """The control for the pairs; None (with what to do) while there are none.

    Args:
        name: of the lab, for the widgets' keys.
        most: pairs used at first; the visitor may raise it.
    """
    left, right = st.columns([0.7, 0.3], vertical_alignment="bottom")
    with left:
        where = st.segmented_control(
            "Pairs",
            [AUTHORED, UPLOAD, TYPED],
            default=AUTHORED,
            key=f"{name}-pairs",
            required=True,
            persist_state="session",
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
                persist_state="session",
                help="Whole prompts are drawn at random, always the same ones.",
            )
    _problems(source)
    pairs = first_prompts(source.pairs, int(wanted))
    texts = pairs[["pair_id", "prompt_id", "prompt", "chosen", "rejected"]].to_dict(
        orient="records"
    )
    return ChosenPairs(source, pairs, content_id(texts), _as_python(source, where, len(pairs)))


def _as_python(source: PairSource, where: str | None, n_pairs: int) -> str:
    """The lines that give the pairs again: `pairs` as the labs take them."""
    if where == TYPED:
        rows = source.pairs.to_dict(orient="records")
        return f"import pandas as pd\n\npairs = pd.DataFrame({pformat(rows, width=96)})"
    if where == UPLOAD:
        return "\n".join(
            [
                "from pathlib import Path",
                "",
                "from core.pair_sources import first_prompts, pairs_of_table",
                "from core.tables import parse_table, read_conversations",
                "",
                f"name = {source.name!r}",
                "table = read_conversations(parse_table(Path(name).read_bytes(), name))",
                f"pairs = first_prompts(pairs_of_table(table).pairs, {n_pairs})",
            ]
        )
    return "\n".join(
        [
            "from core.pair_sources import authored_pairs, first_prompts",
            "",
            f"pairs = first_prompts(authored_pairs().pairs, {n_pairs})",
        ]
    )


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
        data = kept_upload(name, None if file is None else (file.getvalue(), file.name))
        if data is None:
            st.caption("JSON lines, JSON, CSV or Parquet with prompt, chosen and rejected.")
            return None
        return _read_upload(*data)
    return _authored()


def kept_upload(name: str, uploaded: tuple[bytes, str] | None) -> tuple[bytes, str] | None:
    """The file that is used: the uploader forgets its own when the visitor changes the page."""
    field = f"{name}-upload"
    if uploaded is not None:
        st.session_state[field] = uploaded
        return uploaded
    kept: tuple[bytes, str] | None = st.session_state.get(field)
    if kept is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/draft: Still using {plain(kept[1])}.", width="content")
            st.button(
                "Forget it",
                key=f"{field}-forget",
                type="tertiary",
                on_click=lambda: st.session_state.pop(field, None),
            )
    return kept


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
