"""Scoring what a lab planned: what it would cost, the run itself, the rewards so far.

A plan may hold equal conversations in several rows; the service computes each once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.engine.jobs import Progress, ScoreJob
from core.engine.prefix_tree import plan_reading
from core.engine.requests import key_maker
from core.engine.scoring import pass_cost, reuses_prefixes
from core.engine.service import RewardService
from core.engine.templating import encode
from core.errors import WorkbenchError
from core.models.base import FloatArray, TokenRewardModel, TokenSequence
from core.schema import Conversation, content_id

NOT_SCORED = "not scored: the run was stopped"


@dataclass(frozen=True)
class PlanCost:
    """What scoring conversations takes with one model.

    Attributes:
        n_conversations: rows of the plan.
        n_distinct: different token sequences among them.
        n_known: of those, how many rewards are in the cache already.
        n_tokens: tokens of all rows, each scored on its own.
        n_read: tokens that have to be read: without repeats, known ones and shared beginnings.
        n_cut: conversations that are longer than the model reads.
        n_failed: conversations that the model's template refuses.
    """

    n_conversations: int
    n_distinct: int
    n_known: int
    n_tokens: int
    n_read: int
    n_cut: int
    n_failed: int

    def seconds(self, tokens_per_s: float) -> float:
        """Time it takes at a speed; NaN while the speed is not known."""
        return self.n_read / tokens_per_s if tokens_per_s > 0 else float("nan")


def plan_cost(
    service: RewardService, model: str, conversations: Sequence[Conversation]
) -> PlanCost:
    """Counts what scoring would take, by encoding and looking into the cache; scores nothing.

    For a model that reads no tokens the token counts are 0.
    """
    loaded = service.model(model)
    if not isinstance(loaded, TokenRewardModel):
        n_distinct = len({content_id(list(c)) for c in conversations})
        return PlanCost(len(conversations), n_distinct, 0, 0, 0, 0, 0)
    distinct: dict[TokenSequence, int] = {}
    n_tokens = n_cut = n_failed = 0
    for conversation in conversations:
        try:
            encoded = encode(loaded, conversation)
        except WorkbenchError:
            n_failed += 1
            continue
        n_tokens += encoded.n_tokens
        n_cut += encoded.n_cut > 0
        distinct.setdefault(encoded.sequence, len(distinct))
    key = key_maker(loaded)
    known = service.known_rewards([key(sequence) for sequence in distinct])
    waiting = [sequence for sequence, is_known in zip(distinct, known, strict=True) if not is_known]
    return PlanCost(
        n_conversations=len(conversations),
        n_distinct=len(distinct),
        n_known=sum(known),
        n_tokens=n_tokens,
        n_read=_n_read(loaded, waiting),
        n_cut=n_cut,
        n_failed=n_failed,
    )


def _n_read(model: TokenRewardModel, sequences: Sequence[TokenSequence]) -> int:
    if not sequences:
        return 0
    if not reuses_prefixes(model):
        return sum(len(sequence) for sequence in sequences)
    reads = [model.read_position(sequence.ids) for sequence in sequences]
    return plan_reading(sequences, reads, pass_cost(model)).n_tokens


class PlanRun:
    """One model's scoring of a plan: started at once, looked at while it goes, stopped, read.

    Args:
        service: what scores.
        model: the model's name.
        conversations: the rows of the plan.
    """

    def __init__(
        self, service: RewardService, model: str, conversations: Sequence[Conversation]
    ) -> None:
        self.model = model
        self.job: ScoreJob = service.submit(model, conversations)

    def progress(self) -> Progress:
        """How far it is."""
        return self.job.progress()

    def rewards(self) -> tuple[FloatArray, list[str]]:
        """Rewards (NaN where there is none yet) and errors of the plan's rows, as far as known."""
        total = self.job.total
        rewards = np.full(total, np.nan)
        errors = [str(self.job.error or NOT_SCORED)] * total
        for row in self.job.rows():
            rewards[row.index], errors[row.index] = row.reward, row.error
        return rewards, errors


def score_conversations(
    service: RewardService,
    model: str,
    conversations: Sequence[Conversation],
    *,
    progress: Callable[[Progress], None] | None = None,
) -> pd.DataFrame:
    """Rewards of conversations by one model (blocking; an interruption stops the scoring).

    Returns:
        Columns `reward` (NaN where it failed) and `error`, one row a conversation.
    """
    run = PlanRun(service, model, conversations)
    try:
        while not run.job.wait(0.2):
            if progress is not None:
                progress(run.progress())
    except BaseException:
        run.job.cancel()
        raise
    if progress is not None:
        progress(run.progress())
    rewards, errors = run.rewards()
    return pd.DataFrame({"reward": rewards, "error": errors})
