"""Which words moved the number: leaving them out, the gradient's opinion, and the trace."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app_pages.common.background import Outcome, tasks
from app_pages.common.markup import heat_html, plain
from app_pages.common.service import noise_floor, reading_speed, reward_service
from app_pages.common.session import refresh
from core.engine.attribution import (
    Attribution,
    RewardTrace,
    Unit,
    gradient_times_input,
    occlusion,
    rank_agreement,
    reward_trace,
    split_units,
)
from core.errors import ScoringError
from core.figures.rewards import trace_line
from core.models.base import Capability, FloatArray, RewardModel
from core.schema import Conversation, Message, content_id

SENTENCES, WORDS = "Sentences", "Words"
UNITS: dict[str, Unit] = {SENTENCES: "sentence", WORDS: "word"}

LEGEND = (
    "Blue pushes the reward up, orange pulls it down; the strongest has the full colour. "
    "Hover for the value."
)


def attribution(
    model: str, title: str, conversation: Sequence[Message], controls: DeltaGenerator
) -> bool:
    """Draws both attributions and the trace; True while they are still being computed.

    Args:
        model: id.
        title: name of the model.
        conversation: a checked conversation.
        controls: where the controls go.
    """
    messages = list(conversation)
    with controls:
        unit = _choose_unit()
        index = _choose_turn(messages)
    if not messages[index]["content"].strip():
        st.caption("This turn is empty: there is nothing to leave out.")
        return False
    if unit == "word" and not _words_wanted(model, messages, index):
        return False
    left_out = leave_out(model, messages, unit, index)
    gradient = _gradient(model, messages, unit, index)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**Leave one out** · what {plain(title)}'s reward loses without it")
        heat(left_out)
    with right:
        st.markdown("**Gradient × input** · a cheap second opinion, often misleading alone")
        heat(gradient)
    _agreement(left_out, gradient, unit)
    trace = _trace(model, messages)
    _draw_trace(trace, model, title)
    return any(outcome.state == "running" for outcome in (left_out, gradient, trace))


def _choose_unit() -> Unit:
    chosen = st.segmented_control(
        "Unit",
        list(UNITS),
        default=SENTENCES,
        required=True,
        key="attribution-unit",
        label_visibility="collapsed",
        on_change=refresh,
    )
    return UNITS[chosen or SENTENCES]


def _choose_turn(messages: Sequence[Message]) -> int:
    last = len(messages) - 1
    chosen = st.selectbox(
        "Turn",
        range(last, -1, -1),
        format_func=lambda index: (
            "Response" if index == last else f"Turn {index + 1}, {messages[index]['role']}"
        ),
        key=f"attribution-turn-{last}",
        width=200,
        label_visibility="collapsed",
        on_change=refresh,
    )
    return int(chosen)


def _words_wanted(model: str, messages: Sequence[Message], index: int) -> bool:
    """Whether to go ahead word by word; asks first, with what it will cost."""
    key = ("words", model, content_id(list(messages)), index)
    known = st.session_state.setdefault("attribution-words", set())
    if key in known:
        return True
    st.button(
        "Leave out each word",
        key="attribution-go",
        icon=":material/play_arrow:",
        on_click=_want_words,
        args=(key,),
    )
    st.caption(_cost(model, messages, index))
    return False


def _want_words(key: tuple[str, str, str, int]) -> None:
    st.session_state["attribution-words"].add(key)
    refresh()


def _cost(model: str, messages: Sequence[Message], index: int) -> str:
    n_words = len(split_units(messages[index]["content"], "word"))
    n_read = sum(len(message["content"].split()) for message in messages)
    speed = reading_speed(model)
    # Four thirds of a token a word is what English takes; the estimate needs no more.
    seconds = n_words * n_read * 4 / 3 / speed if speed else math.nan
    about = f"about {max(1, round(seconds)):,} s at most" if math.isfinite(seconds) else "a while"
    return f"{n_words:,} readings of the conversation, {about}. Typing goes first meanwhile."


def _score(model: str) -> Callable[[Sequence[Conversation]], FloatArray]:
    def score(conversations: Sequence[Conversation]) -> FloatArray:
        job = reward_service().submit(model, conversations)
        job.wait()
        if job.error is not None:
            raise job.error
        return np.array([row.reward for row in job.rows()])

    return score


def leave_out(model: str, messages: list[Message], unit: Unit, index: int) -> Outcome:
    """What the reward loses without each unit of a turn (an `Outcome` of `Attribution`)."""
    return tasks().outcome(
        ("occlusion", model, content_id(messages), unit, index),
        lambda: occlusion(_score(model), messages, unit=unit, message_index=index),
    )


def _gradient(model: str, messages: list[Message], unit: Unit, index: int) -> Outcome:
    def compute() -> Attribution:
        service = reward_service()
        if Capability.TOKEN_GRADIENTS not in service.model(model).capabilities:
            raise ScoringError("This model gives no gradients.")
        encoded = service.encode(model, messages)

        def explain(loaded: RewardModel) -> Attribution:
            return gradient_times_input(
                loaded,
                encoded,
                messages,
                unit=unit,
                message_index=index,  # type: ignore[arg-type]
            )

        return service.exclusive(model, explain)

    return tasks().outcome(("gradient", model, content_id(messages), unit, index), compute)


def _trace(model: str, messages: list[Message]) -> Outcome:
    return tasks().outcome(
        ("trace", model, content_id(messages)), lambda: reward_trace(_score(model), messages)
    )


def heat(outcome: Outcome) -> None:
    """Draws an attribution as coloured text, or that it is being computed, or why there is none."""
    if outcome.state == "running":
        with st.skeleton(height=120):
            pass
        st.caption(":material/hourglass_empty: computing …")
    elif outcome.state == "failed":
        st.text(outcome.error)
    else:
        st.html(heat_html(heat_pieces(outcome.value)))


def heat_pieces(attribution: Attribution) -> list[tuple[str, float, str]]:
    """Text, weight and hint of every unit; a unit without a value weighs nothing."""
    pieces = []
    for (start, end), value in zip(attribution.units, attribution.values, strict=True):
        known = bool(np.isfinite(value))
        hint = f"{value:+.3f}" if known else "could not be computed"
        pieces.append((attribution.text[start:end], float(value) if known else 0.0, hint))
    return pieces


def _agreement(first: Outcome, second: Outcome, unit: Unit) -> None:
    if first.state == "done" and second.state == "done":
        agreement = rank_agreement(first.value, second.value)
        n = len(first.value.units)
        if math.isfinite(agreement):
            st.caption(
                f"{LEGEND} Rank agreement of the two: **{agreement:.2f}** over {n} {unit}s "
                "(1: same order, 0: unrelated). Trust the left one where they disagree.",
            )
            return
        st.caption(f"{LEGEND} Too few {unit}s ({n}) to compare the two orders.")
    else:
        st.caption(LEGEND)


def _draw_trace(outcome: Outcome, model: str, title: str) -> None:
    if outcome.state != "done":
        return
    trace: RewardTrace = outcome.value
    if len(trace.ends) < 2:
        return
    st.markdown("**Along the response** · the reward if it ended after each sentence")
    ends = [trace.response[max(0, end - 60) : end].strip() for end in trace.ends]
    st.plotly_chart(
        trace_line(ends, list(trace.rewards), title=title, noise_floor=noise_floor(model)),
        key="trace",
        config={"displayModeBar": False},
    )
