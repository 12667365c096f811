"""Scoring models that read conversations as they are: in chunks, so that others get their turn."""

import time
from collections.abc import Callable, Iterator, Sequence

from core.errors import ScoringError
from core.models.base import ConversationRewardModel, ModelOutput, StreamingRewardModel
from core.schema import Conversation

CHUNK_S = 0.1
"""How long one chunk should take: a live edit waits at most for the chunk in flight."""
MAX_CHUNK = 64

Outcome = tuple[list[int], ModelOutput | Exception]
"""Positions in the input, and their rewards or what went wrong with all of them."""


def score_conversations(
    model: ConversationRewardModel,
    conversations: Sequence[Conversation],
    *,
    should_stop: Callable[[], bool],
) -> Iterator[Outcome]:
    """Yields the rewards of one chunk after the other.

    A chunk that raises is tried again one conversation at a time, so that only the conversation
    that fails gets the error. A model that makes its own batches is left to it.

    Args:
        should_stop: asked between chunks; what is left when it says True is not yielded.
    """
    if isinstance(model, StreamingRewardModel):
        yield from model.stream(conversations, should_stop=should_stop)
        return
    start, size = 0, 1
    while start < len(conversations) and not should_stop():
        positions = list(range(start, min(start + size, len(conversations))))
        begin = time.monotonic()
        output = _attempt(model, [conversations[p] for p in positions])
        elapsed = max(time.monotonic() - begin, 1e-6)
        if isinstance(output, ModelOutput) or len(positions) == 1:
            yield positions, output
            start += len(positions)
            size = max(1, min(MAX_CHUNK, 2 * size, int(len(positions) * CHUNK_S / elapsed)))
            continue
        for position in positions:
            yield [position], _attempt(model, [conversations[position]])
            start += 1
            if should_stop():
                return


def _attempt(
    model: ConversationRewardModel, conversations: Sequence[Conversation]
) -> ModelOutput | Exception:
    try:
        return _rewards(model, conversations)
    except Exception as error:  # noqa: BLE001 - the model is anyone's code
        return error


def _rewards(model: ConversationRewardModel, conversations: Sequence[Conversation]) -> ModelOutput:
    output = model.conversation_rewards(conversations)
    if len(output.rewards) != len(conversations):
        raise ScoringError(
            f"{model.card.id} returned {len(output.rewards)} rewards "
            f"for {len(conversations)} conversations."
        )
    return output
