"""Pairs of a visitor's own, scored by an implicit model now."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.other_rewards.item_run import read_items
from app_pages.common.other_rewards.work import NAME, cards_of
from app_pages.common.pair_choice import choose_pairs
from app_pages.common.service import reward_service
from core.errors import TableError
from core.labs.implicit.length import (
    SIDES,
    LengthReport,
    length_report,
    responses_of_readings,
)
from core.models.implicit import ImplicitRewardModel
from core.schema import Message, content_id

MOST_PAIRS = 20
"""Pairs at first; the visitor may take more."""


@dataclass(frozen=True)
class OwnPairs:
    """Pairs that were scored here.

    Attributes:
        words: where they come from and what was left out.
        model: that scored them.
        table: one row a response.
        report: of their length effect.
        python: the lines that give `responses` in a script.
    """

    words: str
    model: str
    table: pd.DataFrame
    report: LengthReport
    python: str


def own_pairs() -> OwnPairs | None:
    """The controls for pairs and model, the run, and what came out of it."""
    chosen = choose_pairs(f"{NAME}-implicit", most=MOST_PAIRS)
    if chosen is None:
        return None
    cards = cards_of("implicit")
    model = st.selectbox(
        "Scored by",
        list(cards),
        format_func=lambda name: cards[name].title or name,
        key=f"{NAME}-implicit-own-model",
        help="Cards of the family “implicit”: a policy with its reference.",
    )
    texts: dict[str, list[Message]] = {}
    keys: dict[str, list[str]] = {}
    for pair in chosen.pairs.to_dict(orient="records"):
        for side in SIDES:
            text: list[Message] = [
                *pair["prompt"],
                {"role": "assistant", "content": str(pair[side])},
            ]
            name = content_id(text)
            texts[name] = text
            keys.setdefault(name, []).append(f"{pair['pair_id']}/{side}")
    names = list(texts)
    key = content_id([chosen.key, model])
    read = read_items(
        "implicit",
        key,
        "Score the responses",
        [keys[name][0] for name in names],
        lambda position: _read(model, texts[names[position]]),
    )
    if read is None:
        return None
    n_cut = sum(cut for *_, cut in read.done.values())
    readings = {
        each: (n_tokens, total, mean)
        for position, (n_tokens, total, mean, _) in read.done.items()
        for each in keys[names[position]]
    }
    pairs = chosen.pairs
    outcome = tasks().outcome(
        (NAME, "own-length", key, sorted(read.done).__repr__()), lambda: _measured(pairs, readings)
    )
    if not is_there(outcome, "Measuring …"):
        return None
    table, report = outcome.value
    n_used = len(report.pairs)
    words = f"{chosen.source.name}, scored by {model}: {n_used} of {len(pairs)} pairs."
    if n_cut:
        words += f" {n_cut} tokens beyond what the model reads were cut."
    return OwnPairs(words, model, table, report, _python(chosen.python, model))


def _read(model: str, conversation: list[Message]) -> tuple[int, float, float, int]:
    """Tokens, sum and mean of a response, and the tokens that were cut."""

    def read(loaded: object) -> tuple[int, float, float, int]:
        if not isinstance(loaded, ImplicitRewardModel):
            raise TableError(f"{model} gives no implicit reward.")
        (reading,) = loaded.token_ratios([conversation])
        return *loaded.sum_and_mean(reading), reading.n_cut

    return reward_service().exclusive(model, read)


def _measured(
    pairs: pd.DataFrame, readings: dict[str, tuple[int, float, float]]
) -> tuple[pd.DataFrame, LengthReport]:
    table = responses_of_readings(pairs, readings)
    return table, length_report(table, rng=np.random.default_rng(0))


def _python(pairs: str, model: str) -> str:
    return "\n".join(
        [
            pairs,
            "from core.engine.service import get_service",
            "from core.labs.implicit.length import SIDES, responses_of_readings",
            "",
            f"model = get_service().model({model!r})",
            "readings = {}",
            'for pair in pairs.to_dict(orient="records"):',
            "    for side in SIDES:",
            '        text = [*pair["prompt"], {"role": "assistant", "content": pair[side]}]',
            "        key = f\"{pair['pair_id']}/{side}\"",
            "        readings[key] = model.sum_and_mean(model.token_ratios([text])[0])",
            "responses = responses_of_readings(pairs, readings)",
        ]
    )
