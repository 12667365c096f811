"""Pairs as a table to click in, and one pair in full: texts, margins, words, the playground."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.attribution import LEGEND, UNITS, heat, leave_out
from app_pages.common.background import look_again
from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.open_in_playground import open_in_playground
from app_pages.compare.results import Compared
from core.schema import content_id

OPEN = ":material/edit_note: Open"
SHOWN_CHARACTERS = 400
SIDES = (("chosen", "Chosen"), ("rejected", "Rejected"))


def examples(
    ground: Compared, rows: Sequence[int], models: Sequence[str], *, key: str, height: int = 380
) -> int | None:
    """The table of some pairs; a click on a row chooses it, its button opens the playground.

    Args:
        ground: the comparison.
        rows: which pairs, in the order of the table.
        models: whose margins stand beside the texts.
        key: of the place on the page.
        height: in pixels.

    Returns:
        The row of the pair that was clicked, or None.
    """
    if not rows:
        st.caption("No pair here.")
        return None
    widget = table_key(key, rows)
    event = st.dataframe(
        table(ground, rows, models),
        hide_index=True,
        key=widget,
        height=min(height, 38 + 35 * len(rows)),
        on_select="rerun",
        # Row mode listens to a checkbox at the left only; this hears a click anywhere in a row.
        selection_mode="single-cell",
        column_config={
            "open": st.column_config.ButtonColumn(
                "Playground",
                key=f"{widget}-open",
                type="tertiary",
                width=92,
                help="Opens the pair in the playground with the same models: the rejected "
                "response on screen, the chosen one pinned as its baseline.",
            ),
            **{
                _margin_name(model): st.column_config.NumberColumn(
                    model,
                    format="%+.3f",
                    help="The margin: reward(chosen) - reward(rejected) in this model's own unit. "
                    "Above 0 it is right.",
                )
                for model in models
            },
        },
    )
    click = st.session_state.get(f"{widget}-open")
    if click is not None and 0 <= click["row"] < len(rows):
        open_pair(ground, rows[click["row"]])
    cells = event["selection"]["cells"]
    return rows[cells[0][0]] if cells and cells[0][0] < len(rows) else None


def table_key(key: str, rows: Sequence[int]) -> str:
    """Key of the table of these pairs: a click in one table is none in the next."""
    return f"{key}-table-{content_id(list(rows))}"


def table(ground: Compared, rows: Sequence[int], models: Sequence[str]) -> pd.DataFrame:
    """What `examples` shows: one row a pair with the models' margins and the texts' beginnings."""
    pairs = ground.pairs.iloc[list(rows)]
    margins = ground.scores.margins.iloc[list(rows)]
    return pd.DataFrame(
        {
            "open": OPEN,
            **{_margin_name(model): margins[model].to_numpy() for model in models},
            "prompt": [
                _beginning(prompt[-1]["content"] if prompt else "") for prompt in pairs["prompt"]
            ],
            "chosen": [_beginning(text) for text in pairs["chosen"]],
            "rejected": [_beginning(text) for text in pairs["rejected"]],
            "pair": list(pairs["pair_id"].astype(str)),
        }
    )


def open_pair(ground: Compared, row: int) -> None:
    """Leaves for the playground: the rejected response on screen, the chosen one its baseline."""
    name = str(ground.pairs.iloc[row]["pair_id"])[:80]
    open_in_playground(
        ground.conversation(row, "rejected"),
        ground.conversation(row, "chosen"),
        ground.models,
        labels=(f"{name}: chosen", f"{name}: rejected"),
    )


def pair_in_full(ground: Compared, row: int, models: Sequence[str], *, key: str) -> None:
    """One pair: what each model makes of it, both texts, and which words moved them on request."""
    pair = ground.pairs.iloc[row]
    with st.container(border=True, key=f"{key}-pair"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.markdown(f"**Pair {plain(str(pair['pair_id']))}**", width="content")
            wanted = st.toggle(
                "Which words moved it",
                key=f"{key}-words",
                help="Leaves out each sentence or word in turn and asks the models again.",
            )
            unit = st.segmented_control(
                "Unit",
                list(UNITS),
                default=next(iter(UNITS)),
                required=True,
                key=f"{key}-unit",
                label_visibility="collapsed",
                disabled=not wanted,
            )
            st.space("stretch")
            if st.button("Open in the playground", icon=":material/edit_note:", key=f"{key}-open"):
                open_pair(ground, row)
        _prompt(pair["prompt"])
        if wanted:
            _words(ground, row, models, str(unit))
        else:
            _texts(ground, row, models)


def _prompt(prompt: Sequence[Mapping[str, str]]) -> None:
    pieces = []
    for turn in prompt:
        pieces += [Piece(f"{turn['role']}\n", "muted"), Piece(f"{turn['content']}\n")]
    show_pieces(pieces)


def _texts(ground: Compared, row: int, models: Sequence[str]) -> None:
    for (side, title), column in zip(SIDES, st.columns(2, gap="medium"), strict=True):
        with column:
            st.markdown(f"**{title}** · {_rewards(ground, row, side, models)}")
            show_pieces([Piece(str(ground.pairs.iloc[row][side]))])
    st.caption(_verdicts(ground, row, models))


def _words(ground: Compared, row: int, models: Sequence[str], unit: str) -> None:
    """Both texts under each model, coloured by what leaving a unit out costs."""
    waiting = False
    for model, column in zip(models, st.columns(len(models), gap="medium"), strict=True):
        with column:
            for side, title in SIDES:
                st.markdown(f"**{title}** · {_rewards(ground, row, side, [model])}")
                conversation = ground.conversation(row, side)
                if not conversation[-1]["content"].strip():
                    st.caption("Empty: there is nothing to leave out.")
                    continue
                outcome = leave_out(model, conversation, UNITS[unit], len(conversation) - 1)
                heat(outcome)
                waiting = waiting or outcome.state == "running"
    st.caption(
        f"What the reward loses without each part. {LEGEND} Each text has a scale of its own: "
        "compare the order of the parts, not the depth of the colours."
    )
    st.caption(_verdicts(ground, row, models))
    if waiting:
        look_again()


def _rewards(ground: Compared, row: int, side: str, models: Sequence[str]) -> str:
    rewards = getattr(ground.scores, side)
    return " · ".join(
        f"{plain(model)} {_number(float(rewards[model].iloc[row]))}" for model in models
    )


def _number(value: float) -> str:
    return "no reward" if np.isnan(value) else f"{value:.3f}"


def _verdicts(ground: Compared, row: int, models: Sequence[str]) -> str:
    said = []
    for model in models:
        margin = float(ground.scores.margins[model].iloc[row])
        standard = float(ground.scores.standard_margins[model].iloc[row])
        if np.isnan(margin):
            said.append(f"{plain(model)}: {plain(str(ground.scores.reasons[model].iloc[row]))}")
            continue
        verdict = "right" if margin > 0 else "wrong" if margin < 0 else "a tie"
        size = "" if np.isnan(standard) else f", {abs(standard):.1f} times its typical margin"
        said.append(f"{plain(model)}: {verdict} by {abs(margin):.3f}{size}")
    return "Each in its own unit. " + " · ".join(said)


def _margin_name(model: str) -> str:
    return f"margin of {model}"


def _beginning(text: str) -> str:
    text = str(text)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
