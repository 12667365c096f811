"""What several views draw: readings as a list, a note on the lines, a pair to read."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.section_view import readable
from app_pages.common.self_rewarding.setup import NAME
from app_pages.common.service import default_models
from core.schema import make_conversation

LINES = (
    "Thick: mean over pairs, seeds pooled, bars 95 % intervals over problems. Thin: single seeds. "
    "Hover for n and what was left out."
)
OPEN_HELP = (
    "Opens the pair in the playground with its prompt: the chosen response on screen, the rejected "
    "one pinned as the baseline."
)


def one_line(text: str, *, width: int = 90) -> str:
    """The beginning of a text, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def bullets(sentences: Iterable[str]) -> None:
    """Sentences as a list."""
    lines = [f"- {plain(sentence)}" for sentence in sentences if sentence]
    if lines:
        st.markdown("\n".join(lines))


def left_out_note(left_out: pd.DataFrame) -> None:
    """Problems that gave no pair, by reason."""
    if left_out.empty:
        return
    counts = left_out.groupby("reason")["n"].sum()
    told = "; ".join(f"{plain(str(why))} ({int(n):,})" for why, n in counts.items())
    st.caption(f":material/info: Problems without a pair, over runs and iterations: {told}.")


def pick_row(table: pd.DataFrame, columns: Sequence[str], key: str) -> "pd.Series[Any] | None":
    """A table whose rows are clicked; the row that is, or else the first."""
    if table.empty:
        return None
    shown = table[[name for name in columns if name in table.columns]]
    event = st.dataframe(
        readable(shown), hide_index=True, key=key, height=250,
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    picked = event["selection"]["rows"]
    return table.iloc[picked[0] if picked and picked[0] < len(table) else 0]


def show_pair(prompt: str | None, chosen: object, rejected: object, key: str) -> None:
    """A pair's texts side by side, with the way to the playground."""
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        st.caption("The texts of this pair are not in the table.")
        return
    if prompt:
        st.caption("Prompt")
        show_pieces([Piece(prompt)])
    for column, name, text in zip(
        st.columns(2, gap="medium"), ("Chosen", "Rejected"), (chosen, rejected), strict=True
    ):
        with column:
            st.caption(name)
            show_pieces([Piece(text or "(no words)", "same" if text else "muted")])
    if prompt and st.button(
        "Open in the playground", key=f"{NAME}-open-{key}", icon=":material/edit_note:",
        help=OPEN_HELP,
    ):  # fmt: skip
        open_in_playground(
            make_conversation(prompt, chosen),
            make_conversation(prompt, rejected),
            default_models(),
            labels=("rejected", "chosen"),
        )
