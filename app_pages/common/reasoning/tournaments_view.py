"""Tab: the best of several candidates by comparisons, and what that costs."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.reasoning.setup import NAME, Setup, one_of
from core.figures import reasoning as figures
from core.labs.reasoning.brackets import (
    SEEDING_MEANING,
    SEEDINGS,
    Method,
    Seeding,
    knockout_chances,
    knockout_cost,
    play_knockout,
    play_methods,
    slots,
)
from core.labs.reasoning.judgements import LETTERS
from core.labs.reasoning.tables import methods_table
from core.labs.reasoning.tournaments import (
    Comparison,
    ItemComparisons,
    can_fit,
    elo_over_orders,
    fit_bradley_terry,
    item_comparisons,
    round_robin_cost,
    win_matrix,
)
from core.stats import FloatArray

SIMULATED, RECORDED = "A simulated judge", "Recorded comparisons"
PRIOR = 0.5


def tournaments_view(setup: Setup | None) -> None:
    """The whole tab; works without judgements."""
    items = item_comparisons(setup.judgements) if setup is not None else ()
    source = one_of(
        "Comparisons by",
        [*([RECORDED] if items else []), SIMULATED],
        "tournament",
        hint="Recorded: judgements of items with three candidates and more. Simulated: a judge of "
        "known chances; no model stands behind it.",
    )
    if source == SIMULATED:
        if setup is not None and not items:
            st.caption(
                ":material/info: The judgements are of pairs alone: a tournament needs items with "
                "three candidates or more. Below plays a simulated judge."
            )
        names, chances, best, played, words = _simulated()
    else:
        names, chances, best, played, words = _of_item(items)
    st.session_state[f"{NAME}-tournament-words"] = words
    k_factor, seeding, votes = _controls()
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            figures.win_chances(
                chances, names, title="How often a judgement prefers row to column"
            ),
            key=f"{NAME}-chances",
            alt="Chance that the row's candidate beats the column's",
        )
    with right:
        _ratings(played, names, k_factor)
    _costs(names, chances, best, votes, k_factor, seeding)
    _bracket(names, chances, seeding, best)


def methods_kept() -> tuple[Method, ...]:
    """What was last played, for the results."""
    found: tuple[Method, ...] = st.session_state.get(f"{NAME}-methods-kept", ())
    return found


def tournament_words() -> str:
    """Whose comparisons were played, in words."""
    return str(st.session_state.get(f"{NAME}-tournament-words", ""))


Played = tuple[list[str], FloatArray, int | None, list[Comparison], str]


def _simulated() -> Played:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        n = int(st.slider("Candidates", 3, 16, 8, key=f"{NAME}-candidates", persist_state="session",
                          help="A is the best, B the second best, and so on."))  # fmt: skip
        neighbours = float(
            st.slider(
                "Right about neighbours", 0.5, 0.95, 0.62, 0.01, key=f"{NAME}-neighbours",
                persist_state="session",
                help="Chance that one judgement prefers A to B, B to C, … Chances of candidates "
                "further apart follow by Bradley and Terry's model.",
            )
        )  # fmt: skip
    gap = float(np.log(neighbours / (1 - neighbours)))
    strengths = -gap * np.arange(n)
    chances = 1 / (1 + np.exp(-(strengths[:, None] - strengths[None, :])))
    rng = np.random.default_rng(0)
    played = [
        Comparison(a, b, float(rng.random() < chances[a, b]))
        for a in range(n)
        for b in range(a + 1, n)
    ]
    words = f"a simulated judge that is right about neighbours with chance {neighbours:.2f}"
    return [LETTERS[at] for at in range(n)], chances, 0, played, words


def _of_item(items: tuple[ItemComparisons, ...]) -> Played:
    by_id = {each.item_id: each for each in items}
    chosen = st.selectbox(
        "Item", list(by_id), key=f"{NAME}-tournament-item", persist_state="session",
        help="Whose candidates play.",
    )  # fmt: skip
    item = by_id.get(chosen or "", items[0])
    wins = win_matrix(item.comparisons, item.n)
    met = wins + wins.T
    chances = np.where(met > 0, wins / np.where(met > 0, met, 1), np.nan)
    told = f"{len(item.comparisons):,} recorded comparisons, {item.unread:,} could not be read"
    if item.from_lists:
        told += "; each two scores of a list are one comparison, so they are not independent"
    st.caption(f"{told}.")
    names = [LETTERS[at] for at in range(item.n)]
    return names, chances, item.right, list(item.comparisons), f"item {item.item_id}"


def _controls() -> tuple[float, Seeding, int]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        k_factor = float(
            st.slider("Elo's K", 4, 64, 32, 4, key=f"{NAME}-elo-k", persist_state="session",
                      help="How far one comparison moves a rating.")
        )  # fmt: skip
        seeding: Seeding = one_of(
            "Knockout's draw", SEEDINGS, "seeding",
            hint="; ".join(f"{name}: {meaning}" for name, meaning in SEEDING_MEANING.items()),
        )  # fmt: skip
        votes = int(
            st.select_slider("Judgements a comparison", [1, 3, 5, 9, 15], 1, key=f"{NAME}-of-votes",
                             persist_state="session", help="The majority of them counts.")
        )  # fmt: skip
    return k_factor, seeding, votes


def _ratings(played: list[Comparison], names: list[str], k_factor: float) -> None:
    n = len(names)
    wins = win_matrix(played, n)
    connected = can_fit(wins)
    fit = fit_bradley_terry(wins, prior=0.0 if connected else PRIOR)
    rated = elo_over_orders(played, n, k_factor=k_factor, n_orders=200)
    st.plotly_chart(
        figures.elo_spread(rated.ratings, fit.elo, names, title="One round-robin, rated"),
        key=f"{NAME}-elo",
        alt="Elo ratings over orders of the matches, with the Bradley-Terry fit",
    )
    top = int(rated.leaders.argmax())
    st.caption(
        f"The same {len(played):,} comparisons in 200 random orders: {names[top]} leads by Elo in "
        f"{rated.leaders[top]:.0%} of them, and ratings move by up to "
        f"{np.ptp(rated.ratings, axis=0).max():.0f} points through the order alone. The fit does "
        "not depend on the order."
        + (
            ""
            if connected
            else f" Someone never lost or never won, so {PRIOR:g} wins were added between all."
        )
    )


def _costs(
    names: list[str],
    chances: FloatArray,
    best: int | None,
    votes: int,
    k_factor: float,
    seeding: Seeding,
) -> None:
    n = len(names)
    comparisons, rounds = knockout_cost(n)
    st.markdown(
        f"**{n} candidates:** everyone against everyone takes {round_robin_cost(n)} comparisons, a "
        f"knockout {comparisons} in {rounds} rounds."
    )
    if best is None or not np.isfinite(chances + np.eye(n)).all():
        st.caption("Playing them again needs a known winner and a chance for every two candidates.")
        return
    usable = np.where(np.eye(n) > 0, 0.5, chances)
    outcome = tasks().outcome(
        ("reasoning-play", usable.tobytes(), best, votes, k_factor, seeding),
        lambda: play_methods(usable, best, votes=votes, k_factor=k_factor, seeding=seeding),
    )
    if not is_there(outcome, "Playing tournaments …"):
        return
    methods: tuple[Method, ...] = tuple(outcome.value)
    st.session_state[f"{NAME}-methods-kept"] = methods
    table = methods_table(methods)
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        st.plotly_chart(
            figures.tournament_costs(table, title="What it takes and how often it finds the best"),
            key=f"{NAME}-costs",
            alt="Share of tournaments that find the best against judgements",
        )
    with right:
        st.dataframe(
            table,
            hide_index=True,
            key=f"{NAME}-methods",
            column_config={
                "comparisons": st.column_config.NumberColumn("judgements"),
                "found": st.column_config.NumberColumn("finds the best", format="percent"),
                "error": st.column_config.NumberColumn("Monte Carlo error", format="%.3f"),
            },
        )
        st.caption(
            "300 tournaments; the arms are twice the Monte Carlo error. With every two candidates "
            "met equally often, the Bradley-Terry fit ranks as the number of wins does."
        )


def _bracket(names: list[str], chances: FloatArray, seeding: Seeding, best: int | None) -> None:
    n = len(names)
    usable = np.where(np.eye(n) > 0, 0.5, chances)
    if not np.isfinite(usable).all():
        return
    with st.expander("One knockout, match by match", icon=":material/account_tree:"):
        draw = int(st.number_input("Seed", 0, 9999, 0, key=f"{NAME}-bracket-seed",
                                   help="Of the draw and of the judgements."))  # fmt: skip
        rng = np.random.default_rng(draw)
        placed = slots(n, seeding, strengths=usable.mean(axis=1), seed=draw)
        played = play_knockout(placed, lambda a, b: float(rng.random() < usable[a, b]), seed=draw)
        rows: list[dict[str, Any]] = [
            {
                "round": match.round,
                "first": names[match.first],
                "second": "bye" if match.second is None else names[match.second],
                "winner": names[match.winner],
            }
            for match in played.matches
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key=f"{NAME}-bracket")
        won = knockout_chances(placed, usable)
        told = f"{names[played.winner]} wins this one."
        if best is not None:
            told += (
                f" With this draw {plain(names[best])}, the best, wins with chance "
                f"{won[best]:.3f}, exact over all outcomes."
            )
        st.caption(told)
