"""Tab: one pair under other prompts, live. Both responses stay; only what was asked changes."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app_pages.common.background import look_again
from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_of
from app_pages.common.prompt_awareness.texts import open_button, side_by_side
from app_pages.common.readings import WAIT_S, SessionJobs
from app_pages.common.service import model_titles, noise_floor
from app_pages.common.session import session_jobs, workspace
from core.engine.jobs import ScoreJob
from core.errors import WorkbenchError
from core.labs.prompt_awareness import swaps
from core.labs.prompt_awareness.intake import last_user_turn, prompt_text, with_last_user_turn
from core.labs.prompt_awareness.other_prompts import SwapKind
from core.labs.prompt_awareness.swaps import OWN, SwapOptions
from core.pair_sources import authored_pairs, typed_pair
from core.schema import Message, content_id, with_response

TABLE, PLAYGROUND = "a pair of the table", "the pair in the playground"
SUGGESTED: tuple[SwapKind, ...] = ("random", "same-topic", "contradictory")
MOST_PROMPTS = 8
ROW = (0.5, 0.5)
"""Widths of a prompt's field and of its margins."""

MARGIN_HELP = (
    "reward(chosen) - reward(rejected) with this prompt, in the model's own unit. The change below "
    "it is against the own prompt."
)


@dataclass(frozen=True)
class Margin:
    """One model's view of the pair under one prompt.

    Attributes:
        value: reward(chosen) - reward(rejected); NaN while unknown.
        error: why there is none, or "".
    """

    value: float = math.nan
    error: str = ""


@st.fragment(key=f"{NAME}-live")
def live_view(setup: Setup) -> None:
    """The whole tab; an edit of a prompt redraws only this."""
    pair = _pair(setup)
    if pair is None or not setup.models:
        return
    own: list[Message] = pair["prompt"]
    others = _suggestions(setup, pair)
    side_by_side({"chosen": pair["chosen"], "rejected": pair["rejected"]})
    if last_user_turn(own) is None:
        st.info("This prompt has no turn of the user to change.", icon=":material/info:")
        return
    st.caption(
        "Type any other prompt: it takes the place of the user's last turn, the two responses stay "
        "as they are. A model that reads the prompt has no reason to keep its preference."
    )
    asked, slots = _prompt_rows(own, pair, others)
    _more_prompts(pair, others)
    prompts = [own, *(with_last_user_turn(own, text) or own for text in asked)]
    margins = _margins(setup.models, prompts, pair)
    for number, (slot, prompt) in enumerate(zip(slots, prompts, strict=True)):
        with slot:
            _one_prompt(setup, pair, number, prompt, margins)
    _summary(setup.models, prompts, margins)


def _pair(setup: Setup) -> Mapping[str, object] | None:
    """The pair on screen: the playground's where there is one, else one of the table."""
    typed = _playground_pair()
    where = one_of("Pair", [PLAYGROUND, TABLE] if typed is not None else [TABLE], "live-source")
    if where == PLAYGROUND and typed is not None:
        return typed
    pairs = setup.chosen.pairs
    titles = {
        str(row.pair_id): f"{row.pair_id} · {prompt_text(row.prompt)[:80]}"
        for row in pairs[["pair_id", "prompt"]].itertuples()
    }
    chosen = st.selectbox(
        "Pair of the table",
        list(titles),
        format_func=lambda name: titles.get(name, name),
        key=f"{NAME}-live-pair-{setup.chosen.key}",
        persist_state="session",
        label_visibility="collapsed",
    )
    rows = pairs.loc[pairs["pair_id"].astype(str) == str(chosen)]
    return None if rows.empty else rows.iloc[0].to_dict()


def _playground_pair() -> Mapping[str, object] | None:
    """The pinned baseline and the version on screen, where a visitor has been there."""
    if "workspace" not in st.session_state or workspace().conversation is None:
        return None
    space = workspace()
    try:
        source = typed_pair(space.tree.pinned.messages, space.conversation)
    except WorkbenchError:
        return None
    return source.pairs.iloc[0].to_dict()


def _suggestions(setup: Setup, pair: Mapping[str, object]) -> list[str]:
    """The other prompts a visitor starts from: two of the table, an opposite instruction, none."""
    state = st.session_state.setdefault(f"{NAME}-live-prompts", {})
    key = _key(pair)
    if key not in state:
        columns = ["prompt_id", "prompt"]
        pool = pd.concat([setup.chosen.pairs[columns], authored_pairs().pairs[columns]])
        options = SwapOptions(kinds=SUGGESTED, n_prompts=1, seed=setup.options.seed)
        plan = swaps.plan(pd.DataFrame([pair]), options, pool=pool)
        rows = plan.requests.loc[plan.requests["kind"] != OWN].drop_duplicates("kind")
        asked = [_last_words(conversation[:-1]) for conversation in rows["conversation"]]
        state[key] = [*asked, ""]
    prompts: list[str] = state[key]
    return prompts


def _last_words(prompt: Sequence[Message]) -> str:
    """The user's last turn in one line, as the field shows it."""
    at = last_user_turn(prompt)
    return "" if at is None else " ".join(prompt[at]["content"].split())


def _key(pair: Mapping[str, object]) -> str:
    return content_id([pair["prompt"], pair["chosen"], pair["rejected"]])


def _prompt_rows(
    own: Sequence[Message], pair: Mapping[str, object], others: Sequence[str]
) -> tuple[list[str], list[st.delta_generator.DeltaGenerator]]:
    """A row for the own prompt and one for each other; returns what is typed and where margins go.

    All fields are drawn before anything is scored, so that typing never waits.
    """
    typed, slots = [], []
    for number in range(len(others) + 1):
        with st.container(border=True):
            left, right = st.columns(ROW, gap="medium", vertical_alignment="center")
        slots.append(right)
        with left:
            if number == 0:
                side_by_side({"own prompt": prompt_text(own)})
            else:
                typed.append(_prompt_field(pair, number, others[number - 1]))
    return typed, slots


def _prompt_field(pair: Mapping[str, object], number: int, suggestion: str) -> str:
    field = f"{NAME}-other-{_key(pair)}-{number}"
    if field not in st.session_state:
        st.session_state[field] = suggestion
    text = st.text_input(
        f"Other prompt {number}",
        key=field,
        live=True,
        persist_state="session",
        placeholder="no words: the empty prompt",
    )
    return text or ""


def _more_prompts(pair: Mapping[str, object], others: list[str]) -> None:
    if st.button(
        "Another prompt",
        key=f"{NAME}-another",
        icon=":material/add:",
        disabled=len(others) >= MOST_PROMPTS,
    ):
        st.session_state[f"{NAME}-live-prompts"][_key(pair)] = [*others, ""]
        st.rerun(scope="fragment")


def _margins(
    models: Sequence[str], prompts: Sequence[Sequence[Message]], pair: Mapping[str, object]
) -> list[dict[str, Margin]]:
    """Each model's margin under each prompt, as far as it is known; never waits long."""
    jobs = session_jobs()
    asked = [
        {model: _both(jobs, model, number, prompt, pair) for model in models}
        for number, prompt in enumerate(prompts)
    ]
    deadline = time.monotonic() + WAIT_S
    for by_model in asked:
        for both in by_model.values():
            for job in both:
                job.wait(max(0.0, deadline - time.monotonic()))
    if any(not job.finished for by_model in asked for both in by_model.values() for job in both):
        look_again()
    return [{model: _margin(both) for model, both in by_model.items()} for by_model in asked]


def _both(
    jobs: SessionJobs,
    model: str,
    number: int,
    prompt: Sequence[Message],
    pair: Mapping[str, object],
) -> tuple[ScoreJob, ScoreJob]:
    chosen, rejected = (
        jobs.job(model, f"{NAME}-{number}-{side}", with_response(list(prompt), str(pair[side])))
        for side in ("chosen", "rejected")
    )
    return chosen, rejected


def _margin(both: tuple[ScoreJob, ScoreJob]) -> Margin:
    rows = [next(iter(job.rows()), None) for job in both]
    for job, row in zip(both, rows, strict=True):
        error = row.error if row is not None else str(job.error or "")
        if error:
            return Margin(error=error)
    chosen, rejected = rows
    if chosen is None or rejected is None:
        return Margin()
    return Margin(chosen.reward - rejected.reward)


def _one_prompt(
    setup: Setup,
    pair: Mapping[str, object],
    number: int,
    prompt: Sequence[Message],
    margins: Sequence[Mapping[str, Margin]],
) -> None:
    """One prompt's margins by model, and whether the preference holds; the own one is number 0."""
    titles = model_titles()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        for model, margin in margins[number].items():
            before = margins[0][model] if number else None
            with st.container(width=210, gap="xsmall"):
                _one_margin(plain(titles.get(model, model)), model, margin, before)
        if number:
            st.space("stretch")
            open_button(
                setup,
                with_response(list(prompt), str(pair["chosen"])),
                with_response(list(prompt), str(pair["rejected"])),
                key=f"live-{number}",
                labels=("rejected", "chosen"),
                label="",
            )


def _one_margin(title: str, model: str, margin: Margin, before: Margin | None) -> None:
    if margin.error:
        st.markdown(f"**{title}**")
        st.text(margin.error)
        return
    known = math.isfinite(margin.value)
    change = None
    if before is not None and known and math.isfinite(before.value):
        change = f"{margin.value - before.value:+.3f}"
    st.metric(
        f"Margin, {title}",
        f"{margin.value:+.3f}" if known else "…",
        change,
        delta_color="off",
        delta_description="vs own prompt" if change else None,
        help=MARGIN_HELP,
    )
    if known and before is not None and math.isfinite(before.value):
        word, icon, colour = holds(before.value, margin.value, noise_floor(model))
        st.badge(word, icon=icon, color=colour)


def holds(own: float, other: float, floor: float) -> tuple[str, str, str]:
    """Whether a preference is the same under another prompt, as a word, an icon and a colour.

    Args:
        own: margin under the own prompt.
        other: margin under the other prompt.
        floor: noise floor; a margin within it is no preference.
    """
    if abs(own) <= floor:
        return "no own preference", ":material/remove:", "gray"
    if abs(other) <= floor:
        return "no preference left", ":material/remove:", "gray"
    if (own > 0) == (other > 0):
        return "holds", ":material/lock:", "orange"
    return "flips", ":material/swap_horiz:", "blue"


def _summary(
    models: Sequence[str], prompts: Sequence[Sequence[Message]], margins: list[dict[str, Margin]]
) -> None:
    """In how many prompts each model's preference holds."""
    titles = model_titles()
    own = list(prompts[0])
    lines = []
    for model in models:
        first = margins[0][model].value
        words = [
            holds(first, found[model].value, noise_floor(model))[0]
            for prompt, found in zip(prompts[1:], margins[1:], strict=True)
            if list(prompt) != own and math.isfinite(found[model].value) and math.isfinite(first)
        ]
        if words:
            lines.append(
                f"{plain(titles.get(model, model))}: holds under {words.count('holds')} of "
                f"{len(words)} other prompts, flips under {words.count('flips')}"
            )
    if lines:
        st.caption(f"{'; '.join(lines)}. One pair shows what can happen, not how often.")
