"""Tab: tool errors of right and wrong rollouts over training."""

import pandas as pd
import streamlit as st

from app_pages.common.choices import choice_key, one_of
from app_pages.common.markup import plain
from app_pages.common.trajectories.setup import NAME, Setup, computed
from core.figures.trajectories import MEASURE_TITLES, length_lines, rate_lines, status_lines
from core.labs.trajectories.rates import ErrorRates, Measure, RateOptions, error_rates
from core.labs.trajectories.reading import rule_disagreements

BY = {"method": "method", "run": "run"}
MEASURES: tuple[Measure, ...] = ("micro", "macro", "no tool")


def shown_measure() -> Measure:
    """What the figures of this tab show."""
    chosen = st.session_state.get(choice_key(NAME, "measure", MEASURES))
    return chosen if chosen in MEASURES else MEASURES[0]


def rates_of(setup: Setup) -> ErrorRates | None:
    """The rates with the choices of this tab; None while they are computed."""
    by = st.session_state.get(f"{NAME}-by") or "method"
    windows = int(st.session_state.get(f"{NAME}-windows") or 10)
    options = RateOptions(by="run" if by == "run" else "method", n_windows=windows)
    return computed(
        ("rates", setup.key, options),
        lambda: error_rates(setup.penalised, options),
        "Counting errors over training …",
    )


def rates_view(setup: Setup) -> None:
    """The whole tab."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        measure = one_of(
            NAME,
            "Shown",
            MEASURES,
            "measure",
            MEASURE_TITLES,
            hint="Micro pools all calls, macro gives every rollout the same weight. Both leave out "
            "rollouts without a call, whose share is the third choice.",
        )
        st.segmented_control(
            "A line for each",
            list(BY),
            default="method",
            required=True,
            key=f"{NAME}-by",
            persist_state="session",
            help="Runs of one method pooled, or each run for itself: how far runs of one method "
            "lie apart says what another seed may give.",
        )
        st.slider(
            "Windows of steps",
            2,
            20,
            10,
            key=f"{NAME}-windows",
            persist_state="session",
            help="Training is cut into so many windows; more show more detail and more noise.",
        )
    rates = rates_of(setup)
    if rates is None:
        return
    left, right = st.columns(2)
    for column, side in ((left, "right"), (right, "wrong")):
        with column:
            st.plotly_chart(
                rate_lines(rates, side, measure, title=f"In {side} rollouts"),
                key=f"{NAME}-rates-{side}",
                alt=f"{MEASURE_TITLES[measure]} of {side} rollouts over training",
            )
    for sentence in readings(rates, measure):
        st.markdown(f"- {plain(sentence)}")
    st.caption(
        "Bars: 95% intervals over problems. They do not speak of other seeds; choose a line for "
        "each run to see how far runs of one method lie apart."
    )
    _more(setup, rates)


def readings(rates: ErrorRates, measure: str) -> list[str]:
    """What right rollouts of each line did from the first window to the last, in words."""
    rows = rates.rates
    chosen = rows.loc[(rows["side"] == "right") & (rows["measure"] == measure)].dropna(
        subset=["value"]
    )
    told = []
    for line, of_line in chosen.groupby("line", sort=False):
        ends = of_line.sort_values("window").iloc[[0, -1]]
        first, last = ends.iloc[0], ends.iloc[1]
        told.append(
            f"{line}: {MEASURE_TITLES[measure]} in right rollouts went from {first['value']:.1%} "
            f"({_interval(first)}) to {last['value']:.1%} ({_interval(last)}) between steps "
            f"{first['first_step']:.0f} and {last['last_step']:.0f}; n = {last['n']:.0f} rollouts "
            f"of {last['n_problems']:.0f} problems at the end, {last['left_out']:.0f} without a "
            "call left out."
        )
    return told


def _interval(row: "pd.Series[float]") -> str:
    if pd.isna(row["low"]):
        return "no interval"
    return f"{row['low']:.1%} to {row['high']:.1%}"


def _more(setup: Setup, rates: ErrorRates) -> None:
    with st.expander("Mixed groups and length", icon=":material/stacked_line_chart:"):
        lines = list(dict.fromkeys(rates.groups["line"]))
        line = one_of(NAME, "Line", lines, "status-line", hint="Whose groups are shown.")
        left, right = st.columns(2)
        with left:
            st.plotly_chart(
                status_lines(rates, line, title="Only mixed groups teach anything"),
                key=f"{NAME}-statuses",
            )
        with right:
            if rates.length_unit:
                st.plotly_chart(
                    length_lines(rates, "right", title="Length of right rollouts"),
                    key=f"{NAME}-lengths",
                )
            else:
                st.caption("For lengths the table needs the column tokens, or response texts.")
    with st.expander("All rates in numbers", icon=":material/table:"):
        st.dataframe(rates.rates, hide_index=True, key=f"{NAME}-rates-table", height=280)
    texts = setup.read.table.get("response")
    if texts is not None and texts.notna().any():
        with st.expander("What the word “error” misses and invents", icon=":material/rule:"):
            found = computed(
                ("rules", setup.chosen.key),
                lambda: rule_disagreements(texts.dropna().tolist()),
                "Comparing the two rules …",
            )
            if found is not None:
                n_results, n_disagree = found.attrs["n_results"], found.attrs["n_disagree"]
                st.caption(
                    f"Of {n_results:,} tool results, {n_disagree:,} are an error by one rule and "
                    "not by the other: the released code's (the letters “error”) and a pattern "
                    "for tracebacks and exception names."
                )
                st.dataframe(found, hide_index=True, key=f"{NAME}-rules")
