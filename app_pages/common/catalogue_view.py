"""The catalogue on a page: its cards, the models in memory, one model's conformance."""

import time

import pandas as pd
import streamlit as st

from app_pages.common.conformance import conformance_report
from app_pages.common.markup import plain
from app_pages.common.service import conformance, known_conformance, reward_service
from core.engine.residency import ResidentModel
from core.models.card import (
    AdapterSource,
    EmbeddedSource,
    RemoteSource,
    RewardModelCard,
    Source,
)
from core.models.catalogue import catalogue, describe_source

POLL_S = 1.0
"""How often the report that is being made is looked at."""


def catalogue_table() -> None:
    """All cards, and the card files that could not be used."""
    known = catalogue()
    in_memory = {resident.id for resident in reward_service().resident()}
    frame = pd.DataFrame(
        [
            {
                "model": card.title or card.id,
                "in memory": card.id in in_memory,
                "weights": weights_are(card.source),
                "family": card.family,
                "size": card.parameters or "–",
                "reads up to": card.max_length,
                "license": card.license,
                "id": card.id,
            }
            for card in sorted(known.cards, key=_nearest_first)
        ]
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=320,
        column_config={
            "reads up to": st.column_config.NumberColumn(format="%d tokens"),
            "weights": st.column_config.TextColumn(
                help="embedded: come with the package; local: a folder here; "
                "download: fetched from the hub on first use; remote: behind a server that the "
                "operator's settings name."
            ),
        },
        alt="The model catalogue",
    )
    for problem in known.problems:
        st.warning(plain(problem.message), icon=":material/warning:")


def _nearest_first(card: RewardModelCard) -> tuple[int, str]:
    return ("embedded", "local", "remote", "download").index(weights_are(card.source)), card.id


def weights_are(source: Source) -> str:
    """Where weights come from, in a word."""
    if isinstance(source, AdapterSource):
        return weights_are(source.base)
    if isinstance(source, RemoteSource):
        return "remote"
    if isinstance(source, EmbeddedSource):
        return "embedded"
    return "download" if source.kind == "hub" else "local"


def residents() -> None:
    """The models in memory, each with a way to unload it."""
    models = reward_service().resident()
    if not models:
        st.caption("None yet: a model is loaded when it is first asked.")
    for model in models:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(model.id)}**  \n{plain(_memory(model))}", width="stretch")
            st.button(
                "Unload",
                key=f"unload-{model.id}",
                icon=":material/eject:",
                disabled=model.in_use,
                on_click=reward_service().unload,
                args=(model.id,),
                help="Frees its memory. It is loaded again when it is next asked.",
            )
    st.caption("Memory that a model shares with no other; adapters share their base.")


def _memory(model: ResidentModel) -> str:
    size = f"{model.n_bytes / 1e6:,.0f} MB" if model.n_bytes else "no memory of its own"
    if model.in_use:
        return f"{size}, in use"
    return f"{size}, last used {_ago(time.time() - model.last_used)}"


def _ago(seconds: float) -> str:
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    return f"{seconds / 3600:.0f} h ago"


def one_model() -> None:
    """The card of one model and its conformance report, or a button that makes one."""
    cards = {card.id: card for card in catalogue().cards}
    if not cards:
        st.caption("There is no card to show.")
        return
    start = list(cards).index("pocket") if "pocket" in cards else 0
    chosen = st.selectbox(
        "Model",
        list(cards),
        index=start,
        format_func=lambda name: cards[name].title or name,
        key="one-model",
        label_visibility="collapsed",
    )
    card = cards[chosen]
    _card(card)
    with st.container(border=True):
        _conformance(card)


def _card(card: RewardModelCard) -> None:
    if card.summary:
        st.text(card.summary)
    facts = [
        describe_source(card),
        card.family,
        f"input: {card.input.form}",
        f"dtype: {card.dtype}",
    ]
    st.caption(plain(" · ".join(facts)))
    if card.notes:
        st.caption(plain(card.notes))


def _conformance(card: RewardModelCard) -> None:
    outcome = known_conformance(card.id)
    if outcome is None:
        where = weights_are(card.source)
        st.button(
            "Connect and check" if where == "remote" else "Load and check",
            key="check",
            icon=":material/verified:",
            on_click=conformance,
            args=(card.id,),
            help="Downloads the weights first." if where == "download" else None,
        )
    elif outcome.state == "running":
        _wait_for(card.id)
    elif outcome.state == "failed":
        st.text(outcome.error)
    else:
        conformance_report(outcome.value)


@st.fragment(run_every=POLL_S)
def _wait_for(model: str) -> None:
    outcome = known_conformance(model)
    if outcome is not None and outcome.state != "running":
        st.rerun()
    st.caption(":material/hourglass_empty: Loading the model and checking it …")
