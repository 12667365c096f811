"""Tab: what the judge wrote, side by side, with the verdict marked."""

import re

import pandas as pd
import streamlit as st

from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from core.labs.reasoning.judgements import LETTERS, TIE
from core.models.judges.formats import FORMATS

ALL, SPLIT, FLIPPED, UNREAD = "all", "split votes", "order flips it", "unread"
_LIKELY = re.compile(r"\[\[[A-Za-z]\]\]|\\boxed\{[^{}]*\}|<answer>.*?</answer>", re.DOTALL)
MOST_ITEMS = 500


def verdict_span(raw: str, format_name: str, n: int) -> tuple[int, int] | None:
    """Where in a text its verdict stands, None where that is not known."""
    form = next((each for name, each in FORMATS.items() if name == format_name), None)
    found = form.read(raw, n).span if form is not None else None
    if found is None:
        likely = list(_LIKELY.finditer(raw))
        found = likely[-1].span() if likely else None
    return found


def traces_view(setup: Setup) -> None:
    """The whole tab."""
    items, table = setup.judgements.items, setup.judgements.table
    which = one_of(
        "Items",
        (ALL, SPLIT, FLIPPED, UNREAD),
        "trace-items",
        hint="Split votes: judgements of one item name different winners. Order flips it: most "
        "name one response when it is shown first and the other one when that is.",
    )
    wanted = _wanted(table, which)
    shown = items.loc[items["item_id"].isin(wanted)].head(MOST_ITEMS)
    if shown.empty:
        st.info("No item of this kind.", icon=":material/info:")
        return
    ids = list(shown["item_id"])
    item_id = st.selectbox(
        f"Item, one of {len(wanted):,}",
        ids,
        key=f"{NAME}-trace-item-{which}",
        format_func=lambda name: _label(name, items, table),
        persist_state="session",
        help="With how its judgements voted.",
    )
    if item_id not in ids:
        item_id = ids[0]
    item = shown.loc[shown["item_id"] == item_id].iloc[0]
    rows = table.loc[table["item_id"] == item_id].reset_index(drop=True)
    _item(item)
    left, right = st.columns(2, gap="medium")
    second = _other_order(rows)
    with left:
        _trace(rows, 0, item, f"{item_id}-left")
    with right:
        _trace(rows, second, item, f"{item_id}-right")


def _wanted(table: pd.DataFrame, which: str) -> list[str]:
    """Ids of the items of this kind, in the table's order."""
    named = table.loc[table["verdict"].notna() & (table["verdict"] != TIE)]
    if which == SPLIT:
        kinds = named.groupby("item_id", sort=False)["verdict"].nunique()
        return list(kinds.index[kinds > 1])
    if which == UNREAD:
        lost = table["verdict"].isna() & table["scores"].isna()
        return list(dict.fromkeys(table.loc[lost, "item_id"]))
    if which == FLIPPED:
        found = []
        for item_id, rows in named.groupby("item_id", sort=False):
            tops = {
                order: set(part["verdict"].mode())
                for order, part in rows.groupby("order")
                if len(str(order)) == 2
            }
            if len(tops) == 2 and not set.intersection(*tops.values()):
                found.append(str(item_id))
        return found
    return list(dict.fromkeys(table["item_id"]))


def _label(item_id: str, items: pd.DataFrame, table: pd.DataFrame) -> str:
    row = items.loc[items["item_id"] == item_id].iloc[0]
    rows = table.loc[table["item_id"] == item_id]
    verdicts = rows["verdict"].dropna()
    told = f"{item_id} · {row['subset']}"
    if isinstance(row["best"], str):
        right, unread = int((verdicts == row["best"]).sum()), int(rows.apply(_unread, axis=1).sum())
        scored = len(rows) - len(verdicts) - unread
        counted = [f"{right} right, {len(verdicts) - right} not"] if len(verdicts) else []
        counted += [f"{scored} scored"] if scored else []
        counted += [f"{unread} unread"] if unread else []
        told += f" · {', '.join(counted)}"
    return told


def _item(item: "pd.Series[object]") -> None:
    """The prompt and the candidates, the right one marked."""
    prompt, responses = str(item["prompt"]), item["responses"]
    with st.expander("The prompt and its responses", icon=":material/chat:", expanded=False):
        if not prompt and not responses:
            st.caption("The table does not hold them.")
            return
        st.text(prompt)
        texts = list(responses) if isinstance(responses, list) else []
        for start in range(0, len(texts), 2):
            for column, at in zip(st.columns(2, gap="medium"), (start, start + 1), strict=True):
                if at < len(texts):
                    with column:
                        right = item["best"] == LETTERS[at]
                        mark = ":material/check_circle: the right winner" if right else ""
                        st.markdown(f"**Response {LETTERS[at]}** {mark}")
                        st.text(texts[at])


def _other_order(rows: pd.DataFrame) -> int:
    """The first judgement in another order than the first one's, else the second."""
    other = rows.index[rows["order"] != rows["order"].iloc[0]]
    return int(other[0]) if len(other) else min(1, len(rows) - 1)


def _trace(rows: pd.DataFrame, default: int, item: "pd.Series[object]", key: str) -> None:
    at = st.selectbox(
        "Judgement",
        list(range(len(rows))),
        default,
        key=f"{NAME}-trace-{key}",
        format_func=lambda place: (
            f"shown as {', '.join(rows['order'][place])} · sample {rows['sample'][place]}"
            + (" · unread" if _unread(rows.iloc[place]) else "")
        ),
        help="Letters in the order in which the responses were shown.",
    )
    row = rows.iloc[int(at if at is not None else default)]
    raw, order = str(row["raw"]), str(row["order"])
    with st.container(horizontal=True, gap="small"):
        _badge(row, item)
        known = row["n_tokens"] == row["n_tokens"]
        st.badge(f"{int(row['n_tokens'])} tokens" if known else "tokens unknown", color="gray")
        if bool(row["truncated"]):
            st.badge("cut at its limit", color="orange")
    if not raw:
        st.caption("The text was not kept.")
        return
    st.caption("The letters in the text are places: A is the response shown first."
               if order != LETTERS[: len(order)] else "As it was written.")  # fmt: skip
    span = verdict_span(raw, str(row["format"]), len(order))
    if _unread(row):
        st.caption(":material/visibility_off: Unread: nothing in this text counts as a vote.")
        show_pieces([Piece(raw, "unread", "no verdict could be read from this text")])
    elif span is None:
        show_pieces([Piece(raw)])
    else:
        show_pieces([
            Piece(raw[: span[0]]),
            Piece(raw[span[0] : span[1]], "verdict", "what the verdict is read from"),
            Piece(raw[span[1] :]),
        ])  # fmt: skip
    scores = row["scores"]
    if isinstance(scores, tuple):
        told = ", ".join(
            f"{LETTERS[i]} {score:g}" for i, score in enumerate(scores) if score == score
        )
        st.caption(f"Scores, the order undone: {told}.")
    if row["confidence"] == row["confidence"]:
        st.caption(
            f"Probability of this verdict {row['confidence']:.2f}; the verdict words together hold "
            f"{row['mass']:.2f} of all probability."
        )
    if row["problem"]:
        st.caption(f":material/warning: {plain(str(row['problem']))}")


def _unread(row: "pd.Series[object]") -> bool:
    """Whether the judgement gives neither a verdict nor a score."""
    return not isinstance(row["verdict"], str) and not isinstance(row["scores"], tuple)


def _badge(row: "pd.Series[object]", item: "pd.Series[object]") -> None:
    verdict = row["verdict"]
    scores = row["scores"]
    if not isinstance(verdict, str) and isinstance(scores, tuple):
        # A response that is scored alone has no winner.
        given = [score for score in scores if score == score]
        st.badge("scores " + ", ".join(f"{score:g}" for score in given), color="blue")
    elif not isinstance(verdict, str):
        st.badge("no verdict could be read", color="orange", icon=":material/help:")
    elif verdict == TIE:
        st.badge("a tie", color="gray")
    elif not isinstance(item["best"], str):
        st.badge(f"for response {verdict}", color="blue")
    elif verdict == item["best"]:
        st.badge(f"for response {verdict}: right", color="green", icon=":material/check:")
    else:
        st.badge(f"for response {verdict}: wrong", color="red", icon=":material/close:")
