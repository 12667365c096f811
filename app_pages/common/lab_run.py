"""A lab on a page: plan, what it will cost, the button, progress with Stop, the result.

Nothing here waits: planning, counting and computing run in the process's tasks, scoring in the
reward service, and the page draws what is there. A run that was stopped keeps what it scored; the
same button continues it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st

from app_pages.common.background import POLL_S, Outcome, look_again, tasks
from app_pages.common.markup import plain
from app_pages.common.service import (
    model_titles,
    reading_speed,
    reference_rewards,
    reward_service,
    speed_is_coming,
)
from core.engine.jobs import Progress
from core.engine.plans import PlanCost, PlanRun, plan_cost
from core.labs.plan import Plan
from core.schema import content_id

MOST_A_SECOND = 100_000
"""A higher rate is two answers of one batch that arrived together, not a speed."""

MOST_COSTS = 2
"""Of more models than this the cost is told as a sum."""

MOST_REASONS = 3
"""More reasons why something is left out of a plan stand in a table, folded."""

R = TypeVar("R")


@dataclass
class _Started:
    key: str
    runs: dict[str, PlanRun]

    @property
    def finished(self) -> bool:
        return all(run.job.finished for run in self.runs.values())


def run_lab(
    name: str,
    models: Sequence[str],
    inputs: object,
    *,
    plan: Callable[[], Plan],
    result: Callable[[Mapping[str, pd.DataFrame]], R],
    extra: object = None,
) -> R | None:
    """Draws a lab's run controls and returns its result once there is one.

    Args:
        name: of the lab; a session has one run of each.
        models: ids of the models to score with.
        inputs: JSON-like value that changes whenever the plan would.
        plan: makes the plan; runs in the background.
        result: makes the result from each model's scored plan; runs in the background.
        extra: JSON-like value that changes whenever the result would though the plan would not.
    """
    if not models:
        st.caption(":material/arrow_upward: Choose at least one reward model.")
        return None
    key = content_id([name, inputs])
    planned = tasks().outcome(("plan", key), plan)
    if not is_there(planned, "Preparing the conversations …"):
        return None
    wanted: Plan = planned.value
    _note_left_out(wanted)
    if not len(wanted):
        st.info("Nothing to score with these choices.", icon=":material/info:")
        return None
    run_key = content_id([key, list(models)])
    started: _Started | None = st.session_state.get(f"lab-{name}")
    if started is None or started.key != run_key:
        _offer(name, key, run_key, models, wanted, "Run")
        return None
    if not started.finished:
        _progress(name)
        return None
    return _result(name, key, run_key, models, wanted, started, result, extra)


def _result(
    name: str,
    key: str,
    run_key: str,
    models: Sequence[str],
    wanted: Plan,
    started: _Started,
    result: Callable[[Mapping[str, pd.DataFrame]], R],
    extra: object,
) -> R | None:
    found = {model: run.rewards() for model, run in started.runs.items()}
    scored = {model: wanted.scored(*values) for model, values in found.items()}
    n_missing = sum(math.isnan(reward) for values in found.values() for reward in values[0])
    for model, run in started.runs.items():
        if run.job.state == "failed":
            st.error(plain(f"{model}: {run.job.error}"), icon=":material/error:")
    if any(run.job.state == "stopped" for run in started.runs.values()):
        _offer(name, key, run_key, models, wanted, "Continue")
        st.caption("Stopped: what follows is from what was scored until then.")
    state = [run.job.n_done for run in started.runs.values()]
    computed = tasks().outcome(
        ("result", run_key, content_id([extra, state])), lambda: result(scored)
    )
    if not is_there(computed, "Computing …"):
        return None
    if n_missing:
        total = len(wanted) * len(started.runs)
        st.caption(f":material/info: {n_missing:,} of {total:,} conversations have no reward.")
    value: R = computed.value
    return value


def _offer(
    name: str, key: str, run_key: str, models: Sequence[str], wanted: Plan, verb: str
) -> None:
    """The button that starts the run, with what it will cost."""
    conversations = wanted.conversations()
    costs = {
        model: tasks().outcome(
            ("cost", key, model, verb, str(st.session_state.get(f"lab-{name}-runs", 0))),
            lambda model=model: plan_cost(reward_service(), model, conversations),
        )
        for model in models
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            f"{verb}: score {len(wanted):,} conversations",
            key=f"{name}-run",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(name, run_key, models, wanted),
        )
        if all(outcome.state == "done" for outcome in costs.values()):
            st.caption(_cost_line({m: o.value for m, o in costs.items()}))
            if any(speed_is_coming(model) for model in models):
                look_again()  # the time is told as soon as the model's speed is known
        elif any(outcome.state == "failed" for outcome in costs.values()):
            for model, outcome in costs.items():
                if outcome.state == "failed":
                    st.text(f"{model}: {outcome.error}")
        else:
            st.caption("Counting what it takes …")
            look_again()


def _cost_line(costs: Mapping[str, PlanCost]) -> str:
    return _cost_of_each(costs) if len(costs) <= MOST_COSTS else _cost_of_all(costs)


def _cost_of_all(costs: Mapping[str, PlanCost]) -> str:
    """What all models take together, one after the other."""
    seconds = []
    for model, cost in costs.items():
        reference_rewards(model)
        seconds.append(cost.seconds(reading_speed(model)) if cost.n_read else 0.0)
    n_unknown = sum(math.isnan(each) for each in seconds)
    known = math.fsum(each for each in seconds if not math.isnan(each))
    time = f", about {_duration(known)}" if known else ""
    if n_unknown:
        time += f" (not counting {n_unknown} whose speed is not known yet)"
    each = costs.values()
    line = (
        f"{len(costs)} models: {sum(cost.n_distinct for cost in each):,} distinct, "
        f"{sum(cost.n_known for cost in each):,} known already; "
        f"{sum(cost.n_read for cost in each):,} tokens to read instead of "
        f"{sum(cost.n_tokens for cost in each):,}{time}"
    )
    n_cut = sum(cost.n_cut for cost in each)
    return line + (f" · {n_cut:,} are longer than a model reads and will be cut" if n_cut else "")


def _cost_of_each(costs: Mapping[str, PlanCost]) -> str:
    titles = model_titles()
    parts = []
    for model, cost in costs.items():
        reference_rewards(model)
        seconds = cost.seconds(reading_speed(model))
        name = f"{plain(titles.get(model, model))}: " if len(costs) > 1 else ""
        if cost.n_tokens == 0:
            parts.append(f"{name}{cost.n_distinct:,} distinct conversations")
            continue
        known = f", {cost.n_known:,} known already" if cost.n_known else ""
        time = "" if math.isnan(seconds) else f", about {_duration(seconds)}"
        parts.append(
            f"{name}{cost.n_distinct:,} distinct{known}; {cost.n_read:,} tokens to read instead of "
            f"{cost.n_tokens:,}{time}"
        )
        if cost.n_cut:
            parts.append(f"{cost.n_cut:,} are longer than the model reads and will be cut")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 5400 else f"{whole / 3600:.1f} h"


def _start(name: str, run_key: str, models: Sequence[str], wanted: Plan) -> None:
    conversations = wanted.conversations()
    runs = {model: PlanRun(reward_service(), model, conversations) for model in models}
    st.session_state[f"lab-{name}"] = _Started(run_key, runs)
    st.session_state[f"lab-{name}-runs"] = st.session_state.get(f"lab-{name}-runs", 0) + 1


@st.fragment(run_every=POLL_S)
def _progress(name: str) -> None:
    started: _Started | None = st.session_state.get(f"lab-{name}")
    if started is None or started.finished:
        st.rerun()
    titles = model_titles()
    for model, run in started.runs.items():
        progress = run.progress()
        text = f"{plain(titles.get(model, model))}: {progress.done:,} of {progress.total:,} scored"
        st.progress(progress.done / max(1, progress.total), text=text + _pace(progress))
    st.button("Stop", key=f"{name}-stop", icon=":material/stop:", on_click=_stop, args=(name,))


def _pace(progress: Progress) -> str:
    """Rate and time left, once both mean something: nothing before the first batch is through."""
    if progress.state != "running" or not progress.remaining_s:
        return "" if progress.state == "running" else f" ({progress.state})"
    rate = f"{progress.rate_per_s:,.1f} a second, " if progress.rate_per_s < MOST_A_SECOND else ""
    return f" ({rate}{_duration(progress.remaining_s)} left)"


def _stop(name: str) -> None:
    started: _Started | None = st.session_state.get(f"lab-{name}")
    if started is not None:
        for run in started.runs.values():
            run.job.cancel()


def is_there(outcome: Outcome, waiting: str) -> bool:
    """Whether there is a value; draws what is waited for (and looks again) or why there is none."""
    if outcome.state == "running":
        st.caption(f":material/hourglass_empty: {waiting}")
        look_again()
        return False
    if outcome.state == "failed":
        st.error(plain(outcome.error), icon=":material/error:")
        return False
    return True


def _note_left_out(wanted: Plan) -> None:
    if len(wanted.left_out) > MOST_REASONS:
        total = sum(wanted.left_out.values())
        label = f"Left out of the plan: {total:,} rows, for {len(wanted.left_out)} reasons"
        counted = sorted(wanted.left_out.items(), key=lambda reason: -reason[1])
        with st.expander(label, icon=":material/info:"):
            st.dataframe(
                pd.DataFrame(counted, columns=["reason", "rows"]), hide_index=True, height=200
            )
    elif wanted.left_out:
        reasons = "; ".join(f"{plain(why)} ({n:,})" for why, n in wanted.left_out.items())
        st.caption(f":material/info: Left out of the plan: {reasons}.")
