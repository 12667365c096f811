"""One card a model: its reward, the change against the baseline, and what both are worth."""

from collections.abc import Sequence

import streamlit as st

from app_pages.common.conformance import conformance_badge
from app_pages.common.markup import plain
from app_pages.common.readings import Reading
from core.reference import Standing

REWARD_HELP = (
    "The number the model returns for the response, given everything before it. Higher is better. "
    "Its scale is the model's own: compare it within one model only."
)
NOISE_HELP = (
    "The largest change that batching alone makes to this model's rewards. A smaller change "
    "against the baseline is grey: it means nothing."
)


def reward_cards(readings: Sequence[Reading], titles: dict[str, str], baseline: str) -> None:
    """Draws a card for every reading, in two columns when there are many.

    Args:
        readings: one a model.
        titles: title of each model by id.
        baseline: name of the pinned version.
    """
    wide = len(readings) <= 2
    with st.grid(1 if wide else 2, gap="small"):
        for reading in readings:
            with st.container(border=True, gap="small", key=f"card-{reading.model}"):
                _card(reading, titles.get(reading.model, reading.model), baseline, wide=wide)


def _card(reading: Reading, title: str, baseline: str, *, wide: bool) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
        st.markdown(f"**{plain(title)}**", width="content")
        if reading.state == "scored":
            key = f"conformance-{reading.model}"
            conformance_badge(reading.report, reading.report_error, key=key)
    if reading.state == "failed":
        st.badge("no reward", icon=":material/error:", color="red")
        st.text(reading.error)
        return
    if reading.state == "waiting":
        st.metric("Reward", "…", help=REWARD_HELP)
        st.caption(":material/hourglass_empty: Loading the model or still reading.")
        return
    if wide:
        left, right = st.columns([0.46, 0.54], vertical_alignment="center")
    else:
        left = right = st.container()
    with left:
        _reward(reading, baseline)
    with right:
        _worth(reading)


def _reward(reading: Reading, baseline: str) -> None:
    change = reading.change
    st.metric(
        "Reward",
        f"{reading.reward:.3f}",
        None if change is None else f"{change:+.3f}",
        delta_color="off" if reading.is_noise else "normal",
        delta_arrow="off" if change == 0 else "auto",
        delta_description=f"vs {baseline}",
        help=REWARD_HELP,
    )


def _worth(reading: Reading) -> None:
    if reading.standing is None:
        st.caption("reading reference responses …")
    else:
        st.progress(reading.standing.share_below, text=standing_text(reading.standing))
    floor = "not measured" if reading.noise_floor is None else f"±{reading.noise_floor:.2g}"
    cut = f" · :red[{reading.n_cut} tokens cut off]" if reading.n_cut else ""
    tokens = f" · {reading.n_tokens} tokens" if reading.n_tokens else ""
    noise = "change within the noise · " if reading.is_noise and reading.change else ""
    st.caption(f"{noise}noise floor {floor}{tokens}{cut}", help=NOISE_HELP)


def standing_text(standing: Standing) -> str:
    """The percentile in words, with its n and what was left out."""
    left_out = f", {standing.n_left_out} left out" if standing.n_left_out else ""
    return f"above {standing.share_below:.0%} of {standing.n} reference responses{left_out}"
