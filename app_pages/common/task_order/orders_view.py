"""Tab: every order predicted, the chosen one stage by stage, and how firm the ranking is."""

import numpy as np
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.task_order.setup import NAME, Setup, one_of
from core.figures.task_order import order_bars, path_lines, transfer_heat_map
from core.labs.task_order.measured import Resampled
from core.labs.task_order.orders import OrderRanking, rank_orders
from core.labs.task_order.survival import Survival, affordable_draws, drawn_transfer, survival
from core.labs.task_order.tables import orders_table, path_table, transfer_table
from core.labs.task_order.transfer import Draws, noisy_draws
from core.schema import content_id

NOISE_KEY = f"{NAME}-noise"
CHOSEN_KEY = f"{NAME}-chosen"
SEED = 0


def ranking_of(setup: Setup) -> OrderRanking:
    """The orders under both assumptions."""
    return rank_orders(setup.transfer, scale=setup.scale, also=[])


def chosen_order(setup: Setup, ranking: OrderRanking) -> tuple[int, ...]:
    """The order whose path is shown: the visitor's, or the best."""
    names = st.session_state.get(_chosen_key(setup))
    if names and sorted(names) == sorted(setup.transfer.tasks):
        return setup.transfer.indices(list(names))
    return ranking.best


def resampled_by() -> Resampled:
    """What the bootstrap resamples, as chosen on this tab."""
    name = st.session_state.get(f"{NAME}-resampled-kept", "items")
    return "items and seeds" if name == "items and seeds" else "items"


def orders_view(setup: Setup) -> None:
    """The whole tab."""
    ranking = ranking_of(setup)
    firm = firmness(setup, ranking)
    _reading(setup, ranking, firm)
    left, right = st.columns([0.58, 0.42], gap="medium")
    chosen = chosen_order(setup, ranking)
    joint = float(setup.joint.mean()) if setup.joint is not None and setup.scale == "raw" else None
    with left:
        st.plotly_chart(
            order_bars(
                orders_table(ranking, firm, chosen),
                joint=joint,
                title="Predicted end of every order",
                unit=setup.unit,
            ),
            key=f"{NAME}-orders",
            alt="Predicted mean of every order, the best on top",
        )
        _orders_caption(ranking, firm)
    with right:
        st.plotly_chart(
            transfer_heat_map(transfer_table(setup.transfer), title="What training on one does"),
            key=f"{NAME}-matrix",
            alt="Effect of training on the row's task on the column's",
        )
        st.caption(
            "Blue: training on the row's task helps the column's. Red: it hurts. Mean effect on "
            f"others: {_outgoing(setup)}."
        )
    _path(setup, ranking)
    with st.expander("All orders as a table", icon=":material/table:"):
        st.dataframe(
            orders_table(ranking, firm, chosen), hide_index=True, key=f"{NAME}-orders-table"
        )


def firmness(setup: Setup, ranking: OrderRanking) -> Survival | None:
    """The ranking under resampling, None while it is computed or where nothing can be drawn."""
    evaluations = setup.evaluations
    n_draws = affordable_draws(setup.transfer.n_tasks)
    if evaluations is None:
        noise = float(st.session_state.get(NOISE_KEY, 0.01))
        method = f"normal noise of {noise:g} on every number, {n_draws:,} draws"

        def draws() -> Draws:
            return noisy_draws(setup.transfer, noise, n_draws, np.random.default_rng(SEED))

        n_problems = 0
    elif not evaluations.has_items:
        return None
    else:
        resampled = resampled_by()
        over = resampled.replace("items", "problems")
        method = f"bootstrap over {over}, {n_draws:,} draws"

        def draws() -> Draws:
            drawn = drawn_transfer(
                evaluations, setup.stages, n_draws=n_draws, seed=SEED, resampled=resampled
            )
            # What was changed by hand moves every draw alike.
            return Draws(*(
                getattr(drawn, name)
                + getattr(setup.transfer, name) - getattr(setup.measured, name)
                for name in ("before", "saturated", "effects")
            ))  # fmt: skip

        n_problems = min(evaluations.n_problems)
    outcome = tasks().outcome(
        ("task-order-survival", content_id([setup.key, method])),
        lambda: survival(ranking, draws(), n_problems=n_problems, method=method),
    )
    return outcome.value if is_there(outcome, "Drawing other problems …") else None


def _reading(setup: Setup, ranking: OrderRanking, firm: Survival | None) -> None:
    """What these numbers say, in a sentence."""
    best, worst = (plain(ranking.named(order)) for order in (ranking.best, ranking.worst))
    gap = ranking.value(ranking.best) - ranking.value(ranking.worst)
    n_ties = int((ranking.table["rank"] == 1).sum())
    if gap <= 1e-12:
        st.markdown("**Every order is predicted to end the same.**")
        return
    tie = f", with {n_ties - 1} more that tie" if n_ties > 1 else ""
    st.markdown(
        f"**Predicted best: {best}**{tie}, {gap:.3f} above the worst ({worst}) in {setup.unit}."
    )
    parts = [
        f"The paper's greedy rule ends at rank {ranking.rank(ranking.greedy)} "
        f"({plain(ranking.named(ranking.greedy))})",
        f"the most helpful task last at rank {ranking.rank(ranking.from_the_end)}",
    ]
    if firm is not None and np.isfinite(firm.best_stays):
        sure = "holds" if firm.best_stays >= 0.9 else "does not hold firmly"
        parts.append(
            f"the ranking {sure}: the best order stays best in {firm.best_stays:.0%} of "
            f"{firm.n_draws:,} draws and ends above the worst in {firm.best_beats_worst:.0%}"
        )
    st.markdown("; ".join(parts) + ".")
    for task in ranking.objective.dropped:
        st.caption(f":material/info: {plain(task)} has no scale and is left out of the mean.")


def _orders_caption(ranking: OrderRanking, firm: Survival | None) -> None:
    how = (
        f"All {len(ranking.table):,} orders."
        if ranking.exact
        else f"The {len(ranking.table):,} orders that the search ended in; not all were computed."
    )
    n_clipped = int(ranking.table["clipped"].sum())
    parts = [how]
    if firm is not None:
        problems = f", at least {firm.n_problems} problems a task" if firm.n_problems else ""
        parts.append(f"Bars: {firm.confidence:.0%} intervals, {plain(firm.method)}{problems}.")
        if firm.left_out:
            parts.append("Left out: " + "; ".join(f"{r} ({n})" for r, n in firm.left_out.items()))
    else:
        parts.append("No intervals: there are no several problems a task to resample.")
    if n_clipped:
        parts.append(f"{n_clipped:,} orders ran beyond the range of scores and were clipped.")
    st.caption(" ".join(parts))


def resampling_control(setup: Setup) -> None:
    """What stands for chance, above the tabs' figures."""
    if setup.evaluations is None:
        st.slider(
            "Assumed noise of each number",
            0.0,
            0.1,
            0.01,
            0.005,
            key=NOISE_KEY,
            persist_state="session",
            help="Typed-in numbers have no test problems behind them. A matrix from one seed is "
            "uncertain by 0.01 to 0.02 in units of the score, and more.",
        )
    elif setup.evaluations.has_items and len(setup.evaluations.seeds) > 1:
        st.session_state[f"{NAME}-resampled-kept"] = one_of(
            "Resampled",
            ("items", "items and seeds"),
            "resampled",
            {"items": "problems", "items and seeds": "problems and seeds"},
            hint="Problems: how would these very runs rank on other test problems? Problems and "
            "seeds: and with other seeds, as far as a few seeds can tell?",
        )


def _outgoing(setup: Setup) -> str:
    pairs = zip(setup.transfer.tasks, setup.transfer.outgoing(), strict=True)
    return ", ".join(f"{plain(task)} {value:+.3f}" for task, value in pairs)


def _chosen_key(setup: Setup) -> str:
    return f"{CHOSEN_KEY}-{content_id(list(setup.transfer.tasks))}"


def _path(setup: Setup, ranking: OrderRanking) -> None:
    st.markdown("##### One order, stage by stage")
    names = st.multiselect(
        "Order of training",
        list(setup.transfer.tasks),
        key=_chosen_key(setup),
        placeholder=f"The best one: {ranking.named(ranking.best)}",
        persist_state="session",
        help="Choose the tasks in the order in which they are trained. Empty: the best order.",
    )
    if names and len(names) < setup.transfer.n_tasks:
        st.caption(f"{setup.transfer.n_tasks - len(names)} tasks to go; until then the best order.")
    order = chosen_order(setup, ranking)
    st.plotly_chart(
        path_lines(path_table(ranking, order), title=f"Predicted: {ranking.named(order)}"),
        key=f"{NAME}-path",
        alt="Predicted score of each task after each stage",
    )
    st.caption(
        f"Predicted {setup.unit} {ranking.value(order):.4f}, rank {ranking.rank(order)} of "
        f"{len(ranking.table):,}. A star marks the stage that trained the task itself."
    )
