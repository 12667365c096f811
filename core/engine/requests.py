"""The unit of work of the engine: one text for one model, wanted by one or more jobs."""

import hashlib
import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from core.engine.jobs import ScoreJob
from core.engine.templating import template_hash
from core.models.base import ConversationRewardModel, RewardModel, TokenRewardModel, TokenSequence
from core.schema import Conversation

Payload = TokenSequence | Conversation
"""What a model reads: token ids, or the conversation itself."""


@dataclass(frozen=True)
class Wish:
    """One row of one job that waits for a reward.

    Attributes:
        index: the row's position in the job.
        n_tokens: tokens the model reads.
        n_cut: tokens that truncation removed.
    """

    job: ScoreJob
    index: int
    n_tokens: int = 0
    n_cut: int = 0


@dataclass(eq=False)
class Request:
    """One text to be scored by one model.

    Attributes:
        key: digest of all that determines the reward; equal texts have equal keys.
        priority: 0 for a single live edit, 1 for several live texts, 2 for bulk work.
        wishes: the rows that wait for it; more may join until it is done.
    """

    key: bytes
    model: RewardModel
    payload: Payload
    priority: int
    wishes: list[Wish] = field(default_factory=list)
    done: bool = False

    @property
    def wanted(self) -> bool:
        """Whether any job still waits for it."""
        return any(not wish.job.finished for wish in self.wishes)


def priority_of(job: ScoreJob) -> int:
    """0 for a single live edit, 1 for several live texts, 2 for bulk work."""
    if not job.live:
        return 2
    return 0 if job.total == 1 else 1


def key_maker(model: RewardModel) -> Callable[[Payload], bytes]:
    """A function from what this model reads to the key of its reward.

    The key covers the model's fingerprint (weights, revision, dtype, head), how its card forms the
    input and reads the output, and the token ids with their segments, or the conversation as JSON.
    """
    card = model.card
    form = template_hash(model) if isinstance(model, TokenRewardModel) else "conversation"
    salt = hashlib.sha256(
        "\0".join([model.fingerprint, form, card.reward.model_dump_json()]).encode()
    ).digest()

    def key(payload: Payload) -> bytes:
        digest = hashlib.sha256(salt)
        if isinstance(payload, TokenSequence):
            digest.update(array("q", payload.ids).tobytes())
            if payload.type_ids is not None:
                digest.update(b"types" + array("q", payload.type_ids).tobytes())
        else:
            text = json.dumps([dict(m) for m in payload], ensure_ascii=False, sort_keys=True)
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    return key


def reads_conversations(model: RewardModel) -> bool:
    """Whether the model takes conversations as they are instead of tokens."""
    return isinstance(model, ConversationRewardModel)
