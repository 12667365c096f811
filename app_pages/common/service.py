"""The reward service as pages use it: started warm, asked without waiting, shared by all."""

import gc
import logging
import math
import threading
import time
from collections.abc import Sequence

import numpy as np
import streamlit as st

from app_pages.common.background import RUNNING, Outcome, tasks
from core.engine.conformance import ConformanceReport
from core.engine.jobs import ScoreJob
from core.engine.service import RewardService, get_service
from core.models.base import RewardModel, TokenRewardModel
from core.models.catalogue import list_cards
from core.reference import reference_responses
from core.schema import Message, content_id

MAIN_MODEL = "pocket"
EARLY_CHECKPOINT = "pocket-step-"
SPEED_RESPONSES = 6
"""Reference responses that are read, one by one, for a model's speed."""

_log = logging.getLogger(__name__)


def default_models() -> list[str]:
    """The models a new visitor sees: the embedded one, and beside it the start of its training."""
    ids = sorted(model_titles())
    early = [model_id for model_id in ids if model_id.startswith(EARLY_CHECKPOINT)]
    return [model_id for model_id in (MAIN_MODEL, *early[:1]) if model_id in ids]


def reward_service() -> RewardService:
    """The process's reward service; the first call starts loading the default models."""
    warm_up()
    return get_service()


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Loads the default models once per process, in the background, so that nobody waits for it."""
    threading.Thread(target=_load_defaults, name="warm-up", daemon=True).start()


def _load_defaults() -> None:
    greeting = reference_responses(1)[0].conversation
    for name in default_models():
        # A failure is not lost: the first visitor's card shows it with its cause.
        try:
            get_service().score(name, [greeting])
        except Exception:  # noqa: BLE001
            _log.exception("The model %s could not be loaded ahead of the first visitor.", name)
    gc.collect()
    # The modules and weights stay until the end: the collector need not look at them again.
    gc.freeze()


@st.cache_data(ttl=10, show_spinner=False)
def _catalogue_titles() -> dict[str, str]:
    return {card.id: card.title or card.id for card in list_cards()}


def model_titles() -> dict[str, str]:
    """Title of each model that can be chosen, by id: the catalogue, then what was registered."""
    titles = dict(_catalogue_titles())
    for resident in get_service().resident():
        titles.setdefault(resident.id, resident.id)
    return titles


def forget_titles() -> None:
    """Has the catalogue read again, after a model was added."""
    _catalogue_titles.clear()


def conformance(model: str) -> Outcome:
    """The model's conformance report (an `Outcome` of `ConformanceReport`), without waiting."""
    return tasks().outcome(("conformance", model), lambda: _check(model))


def recheck(model: str) -> Outcome:
    """The same of a check that is made anew, whatever is kept; a remote model connects again."""
    tasks().forget(("conformance", model))
    return tasks().outcome(("conformance", model), lambda: reward_service().recheck(model))


def noise_floor(model: str) -> float:
    """The model's measured noise floor; 0 while it is not known."""
    report: ConformanceReport | None = conformance(model).value
    return report.noise_floor if report is not None and math.isfinite(report.noise_floor) else 0.0


def known_conformance(model: str) -> Outcome | None:
    """The outcome of a check that was started before, or None; starts nothing."""
    return tasks().known(("conformance", model))


def encoded(model: str, conversation: Sequence[Message]) -> Outcome:
    """What the model reads of a conversation (an `Outcome` of `EncodedConversation`)."""
    messages = list(conversation)
    return tasks().outcome(
        ("encoded", model, content_id(messages)), lambda: reward_service().encode(model, messages)
    )


def _check(model: str) -> ConformanceReport:
    return reward_service().conformance(model)


@st.cache_resource(show_spinner=False)
def _reference_jobs() -> dict[str, ScoreJob]:
    return {}


def reference_rewards(model: str) -> Outcome:
    """The model's rewards of the reference responses (an `Outcome` of a float array, NaN where one
    failed), without waiting."""
    jobs = _reference_jobs()
    job = jobs.get(model)
    if job is None:
        conversations = [response.conversation for response in reference_responses()]
        job = jobs.setdefault(model, reward_service().submit(model, conversations))
    if not job.finished:
        return RUNNING
    if job.error is not None:
        return Outcome("failed", error=str(job.error))
    return Outcome("done", np.array([row.reward for row in job.rows()]))


def reading_speed(model: str) -> float:
    """Tokens a second the model read of the reference responses; 0 while that is not known.

    Where all of them were known from an earlier start, some are read again for it.
    """
    job = _reference_jobs().get(model)
    rows = job.rows() if job is not None else []
    if job is None or not job.finished or not rows:
        return 0.0
    rate = job.progress().rate_per_s
    if rate > 0:
        return rate * sum(row.n_tokens for row in rows) / len(rows)
    measured: float | None = tasks().outcome(_speed_key(model), lambda: _measure_speed(model)).value
    return measured or 0.0


def speed_is_coming(model: str) -> bool:
    """Whether the model's reading speed is still being measured."""
    if reference_rewards(model).state == "running":
        return True
    reading_speed(model)  # starts measuring where the reference responses do not tell it
    known = tasks().known(_speed_key(model))
    return known is not None and known.state == "running"


def _speed_key(model: str) -> tuple[str, str]:
    return ("reading-speed", model)


def _measure_speed(model: str) -> float:
    """Reads some reference responses once more, against the clock; 0 for a model without tokens."""
    loaded = reward_service().model(model)
    if not isinstance(loaded, TokenRewardModel):
        return 0.0
    sequences = [
        reward_service().encode(model, response.conversation).sequence
        for response in reference_responses(SPEED_RESPONSES)
    ]

    def timed(_: RewardModel) -> float:
        began = time.perf_counter()
        for sequence in sequences:
            loaded.rewards([sequence])
        return time.perf_counter() - began

    return sum(map(len, sequences)) / reward_service().exclusive(model, timed)
