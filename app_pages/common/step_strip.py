"""Step scores in the playground: a strip for each chosen model that scores steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app_pages.common.background import Outcome, tasks
from app_pages.common.markup import plain
from app_pages.common.readings import Reading
from app_pages.common.service import reward_service
from core.errors import ScoringError
from core.figures.other_rewards import step_strip
from core.models.base import Capability
from core.models.process import ProcessRewardModel, StepRewards
from core.schema import Conversation, content_id


@dataclass(frozen=True)
class StepReading:
    """What one model says of the steps on screen, as far as it is known."""

    model: str
    outcome: Outcome


def read_steps(readings: Sequence[Reading], conversation: Conversation | None) -> list[StepReading]:
    """Starts the step scores of the models that have some; looks only at models that are loaded."""
    if conversation is None:
        return []
    service = reward_service()
    messages = [dict(message) for message in conversation]
    found = []
    for reading in readings:
        # A scored model is in memory, so asking what it can do waits for nothing.
        if reading.state != "scored":
            continue
        model = service.model(reading.model)
        if Capability.STEP_REWARDS not in model.capabilities:
            continue
        key = ("play-steps", model.fingerprint, content_id(messages))
        outcome = tasks().outcome(key, lambda name=reading.model: _scored(name, conversation))
        found.append(StepReading(reading.model, outcome))
    return found


def step_strips(found: Sequence[StepReading], titles: dict[str, str]) -> None:
    """Draws a strip under the response for each."""
    for reading in found:
        title = titles.get(reading.model, reading.model)
        if reading.outcome.state == "failed":
            st.caption(f":material/error: {plain(title)}: {plain(reading.outcome.error)}")
        elif reading.outcome.state == "running":
            st.caption(f":material/hourglass_empty: {plain(title)} scores the steps …")
        else:
            scored: StepRewards = reading.outcome.value
            st.plotly_chart(
                step_strip(scored.steps, scored.scores, title=f"{title}: score of each step"),
                key=f"play-steps-{reading.model}",
                width="stretch",
            )


def _scored(name: str, conversation: Conversation) -> StepRewards:
    def read(model: object) -> StepRewards:
        if not isinstance(model, ProcessRewardModel):
            raise ScoringError(f"{name} scores no steps.")
        return model.step_rewards([conversation])[0]

    return reward_service().exclusive(name, read)
