"""Rewards of a policy's responses, by reward models in the engine."""

from collections.abc import Sequence

from core.engine.service import RewardService, get_service
from core.models.base import FloatArray
from core.schema import make_conversation


def rewards_of(
    model: str,
    prompts: Sequence[str],
    responses: Sequence[str],
    *,
    service: RewardService | None = None,
) -> FloatArray:
    """(n,) rewards of responses to user turns; NaN where the model gave none.

    Args:
        model: card id, hub id or local folder.
        prompts: one for each response.
        responses: the texts.
        service: what scores; the process's own by default.
    """
    asked = zip(prompts, responses, strict=True)
    conversations = [make_conversation(prompt, response) for prompt, response in asked]
    frame = (service or get_service()).score(model, conversations)
    return frame.sort_values("index")["reward"].to_numpy("float64")
