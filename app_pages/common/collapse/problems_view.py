"""Tab: problem by step. A click on a cell reads its samples; classes and who moved where."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.choices import one_of
from app_pages.common.collapse.setup import NAME, Setup, problem_names
from app_pages.common.collapse.words import classes_sentence
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.section_view import draw_table, readable
from core.figures.collapse import class_flow, class_shares, problem_map
from core.labs.collapse.classes import transitions
from core.labs.collapse.counts import method_of

PER_PAGE = 40
ANY = "all classes"
ORDERS = ("first solve", "fewest distinct", "most distinct")
SAMPLE_COLUMNS = (
    "sample", "answer", "correct", "reward", "response", "log_probability", "entropy", "tokens",
)  # fmt: skip


def problems_view(setup: Setup) -> None:
    """The map, the samples behind a cell, the classes."""
    trained = [run for run in setup.chosen.runs if run not in set(setup.result.base_runs)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        run = st.selectbox(
            "Run", [*trained, *setup.result.base_runs], key=f"{NAME}-run", persist_state="session",
            help="Whose problems are on the map.",
        )  # fmt: skip
        kind = _class_choice(setup, str(run))
        order = st.selectbox(
            "Order", ORDERS, key=f"{NAME}-order", persist_state="session",
            help="Which problems stand on top.",
        )  # fmt: skip
    problems = _ordered(setup, str(run), kind, str(order))
    if not problems:
        st.info("This run has no such problem.", icon=":material/info:")
        return
    shown = _page_of(problems)
    left, right = st.columns([3, 2], gap="large")
    with left:
        picked = _map(setup, str(run), shown)
    with right:
        _samples(setup, str(run), picked, shown)
    _classes(setup, method_of(str(run)))


def _class_choice(setup: Setup, run: str) -> str:
    table = setup.result.classes.table
    last = table.loc[(table["run"] == run) & (table["window"] == table["window"].max())]
    sizes = last["problem_class"].value_counts()
    options = [ANY, *sizes.index]
    return str(
        st.selectbox(
            "Class in the last window",
            options,
            key=f"{NAME}-class-{run}",
            format_func=lambda name: f"{name} ({sizes.get(name, len(last))})",
            help="What became of the problem; the definitions stand below the classes.",
        )
    )


def _ordered(setup: Setup, run: str, kind: str, order: str) -> list[str]:
    steps = setup.result.progress
    rows = steps.loc[steps["run"] == run]
    if kind != ANY:
        table = setup.result.classes.table
        last = table.loc[(table["run"] == run) & (table["window"] == table["window"].max())]
        rows = rows.loc[
            rows["problem_id"].isin(last.loc[last["problem_class"] == kind, "problem_id"])
        ]
    grouped = rows.groupby("problem_id")
    distinct = grouped["distinct_so_far"].max()
    if order == "first solve":
        first = rows.loc[rows["first_solve"]].set_index("problem_id")["step"]
        # What was never solved comes last.
        return list(first.reindex(distinct.index).sort_values(kind="stable").index)
    return list(distinct.sort_values(ascending=order.startswith("fewest"), kind="stable").index)


def _page_of(problems: list[str]) -> list[str]:
    n_pages = -(-len(problems) // PER_PAGE)
    if n_pages == 1:
        return problems
    page = st.number_input(
        f"Page of the map, of {n_pages}", 1, n_pages, 1, key=f"{NAME}-page",
        help=f"{PER_PAGE} of {len(problems)} problems at a time.",
    )  # fmt: skip
    start = (int(page) - 1) * PER_PAGE
    return problems[start : start + PER_PAGE]


def _map(setup: Setup, run: str, problems: list[str]) -> tuple[str, int] | None:
    st.markdown("**Distinct answers so far** · star: first right sample · click a cell to read it")
    steps = setup.result.progress
    names = problem_names(setup.chosen.table, problems)
    event = st.plotly_chart(
        problem_map(steps.loc[steps["run"] == run], problems, names=names),
        key=f"{NAME}-map",
        on_select="rerun",
        selection_mode="points",
        alt="Distinct answers so far of each problem at each step",
    )
    return _picked(event["selection"]["points"])


def _picked(points: Sequence[dict[str, Any]]) -> tuple[str, int] | None:
    for point in points:
        data = point.get("customdata")
        if isinstance(data, list | tuple) and len(data) == 2:
            return str(data[0]), int(data[1])
    return None


def _samples(setup: Setup, run: str, picked: tuple[str, int] | None, shown: list[str]) -> None:
    table = setup.chosen.table
    steps = setup.result.progress
    of_run = steps.loc[steps["run"] == run]
    if picked is None or picked[0] not in set(of_run["problem_id"]):
        picked = (shown[0], int(of_run.loc[of_run["problem_id"] == shown[0], "step"].max()))
    problem, step = picked
    rows = table.loc[(table["run"] == run) & (table["problem_id"] == problem)]
    if "split" in rows:
        rows = rows.loc[rows["split"].fillna("train") == "train"]
    at = of_run.loc[(of_run["problem_id"] == problem) & (of_run["step"] <= step)]
    with st.container(border=True):
        (name,) = problem_names(table, [problem])
        st.markdown(f"**{plain(name)}** · {plain(run)}, step {step}")
        if len(at):
            now = at.iloc[-1]
            solved = "solved" if now["solved"] else "not solved yet"
            st.caption(
                f"{now['distinct_so_far']} distinct answers in {now['drawn']} samples so far, "
                f"{now['correct_so_far']} right: {solved}."
            )
        here = _with_texts(setup, rows.loc[rows["step"] == step].sort_values("sample"))
        if here is None:
            return
        columns = [c for c in SAMPLE_COLUMNS if c in here and here[c].notna().any()]
        st.dataframe(readable(here[columns]), hide_index=True, key=f"{NAME}-samples", height=320)
        if "response" not in columns:
            st.caption("Only the answers of these samples were recorded, not their full texts.")


def _with_texts(setup: Setup, here: pd.DataFrame) -> pd.DataFrame | None:
    """The samples with their texts, read from the files where the table is too large for them."""
    read = setup.chosen.samples
    if read is None or here.empty:
        return here
    problem, step = str(here["problem_id"].iloc[0]), int(here["step"].iloc[0])
    outcome = tasks().outcome(
        (NAME, "samples", setup.chosen.key, problem, step), lambda: read(problem, step)
    )
    if not is_there(outcome, "Reading the texts …"):
        return None
    keys = [name for name in ("run", "split", "sample") if name in here]
    texts = outcome.value[[*keys, "response"]].drop_duplicates(keys)
    return here.drop(columns="response").merge(texts, on=keys, how="left")


def _classes(setup: Setup, method: str) -> None:
    found = setup.result.classes
    st.markdown("##### What became of the problems")
    st.markdown(plain(classes_sentence(setup.result, method)))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Share of problems in each class**")
        st.plotly_chart(class_shares(found, method), key=f"{NAME}-class-shares")
    with right:
        last = len(found.windows) - 1
        start = one_of(
            NAME, "From window", list(range(max(1, last))), "flow-from",
            dict(enumerate(found.windows)),
            hint="Flows go from this window to the last one.",
        )  # fmt: skip
        runs = [run for run in found.table["run"].unique() if method_of(run) == method]
        moved = transitions(found, start, last, runs=runs)
        names = (found.windows[start], found.windows[last])
        st.plotly_chart(class_flow(moved, names), key=f"{NAME}-flow-{method}-{start}")
    with st.expander("Definitions of the classes, in the order in which they are tried"):
        for name, meaning in found.options.definitions().items():
            st.markdown(f"- **{name}**: {plain(meaning)}")
        st.caption("Each problem is in exactly one class in each window; our own definitions.")
    draw_table("Transitions, as a matrix", moved.rename_axis("from").reset_index(), f"{NAME}-moved")
    flagged = setup.result.flags.problems
    draw_table("Every problem, early against late", flagged, f"{NAME}-problem-flags")
