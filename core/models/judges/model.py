"""A judge as a reward model: the mean of the scores it gives to a conversation's response."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import ModelLoadError
from core.models.base import Capability, ConversationRewardModel, ModelOutput
from core.models.card import AdapterSource, RemoteSource, RewardModelCard
from core.models.judges.backends import (
    ChatBackend,
    JudgeBackend,
    LocalBackend,
    shared_language_model,
)
from core.models.judges.formats import prompt_text
from core.models.judges.judge import LOW_MASS, Item, Judge, Judgement
from core.models.remote.chat import ChatServer
from core.models.remote.http import Connection, connection_to
from core.schema import Conversation, split_conversation


@dataclass(frozen=True)
class Tally:
    """How the judgements of one conversation were used: its reward, and what could not be read."""

    reward: float
    n_read: int
    n_unread: int
    problem: str


class JudgeRewardModel(ConversationRewardModel):
    """A generative judge behind the interface of a reward model.

    A judge that scores one response gives its mean score as the reward. A judge of pairs has no
    reward for one conversation; it is loaded all the same, for the pages that compare pairs.

    Args:
        card: of the judge.
        judge: the judge itself.
        n_bytes: memory of its language model, which all judges on that model share.
    """

    def __init__(self, card: RewardModelCard, judge: Judge, *, n_bytes: int = 0) -> None:
        self.card = card
        self.judge = judge
        form = judge.form
        told = [judge.settings_key, form.name, form.version, judge.samples]
        told += [judge.part.rubric, judge.part.instruction]
        self.fingerprint = hashlib.sha256(repr(told).encode()).hexdigest()
        self._n_bytes = n_bytes

    @property
    def scores_one(self) -> bool:
        """Whether it can score one response by itself."""
        return self.judge.form.candidates != "two"

    @property
    def capabilities(self) -> frozenset[Capability]:
        if not self.scores_one:
            return frozenset({Capability.REASONING})
        return frozenset({Capability.REWARD, Capability.REASONING})

    @property
    def shared_bytes(self) -> int:
        return self._n_bytes

    @property
    def residence(self) -> str:
        return f"judge:{self.judge.backend.fingerprint}"

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """Mean read score of each; one without a readable judgement has its reason instead."""
        if not self.scores_one:
            why = (
                f"{self.card.id} says which of two responses is better and gives no reward to one "
                "alone. Choose it in the Reasoning lab, or take a judge that scores (format "
                "rubric-score, j1-score or deepseek-grm)."
            )
            n = len(conversations)
            return ModelOutput(np.full(n, np.nan), errors=(why,) * n)
        tallies = self.tallies(conversations)
        errors = tuple(tally.problem for tally in tallies)
        rewards = np.array([tally.reward for tally in tallies], dtype=np.float64)
        return ModelOutput(rewards, errors=errors if any(errors) else ())

    def tallies(self, conversations: Sequence[Conversation]) -> list[Tally]:
        """The reward of each conversation, with how many judgements could and could not be read."""
        items = []
        for position, conversation in enumerate(conversations):
            prompt, response = split_conversation(conversation)
            items.append(Item(str(position), prompt_text(prompt), (response,)))
        found: dict[str, list[Judgement]] = {item.item_id: [] for item in items}
        for judgement in self.judge.judge(items):
            found[judgement.item_id].append(judgement)
        return [self._tally(found[item.item_id]) for item in items]

    def _tally(self, judgements: Sequence[Judgement]) -> Tally:
        scores = [each.scores[0] for each in judgements if each.scores is not None]
        n_unread = len(judgements) - len(scores)
        if not scores:
            why = judgements[0].problem if judgements else "nothing was written."
            n = len(judgements)
            one = "The judgement" if n == 1 else f"None of {n} judgements"
            verb = "could not be read" if n == 1 else "could be read"
            return Tally(math.nan, 0, n_unread, f"{one} {verb}. The first: {why}")
        mass = judgements[0].mass
        if mass < LOW_MASS:
            why = (
                f"The scores' tokens capture only {mass:.0%} of the probability: this judge would "
                "mostly say something else than a score."
            )
            return Tally(math.nan, 0, len(judgements), why)
        return Tally(self.card.reward.sign * float(np.mean(scores)), len(scores), n_unread, "")


def load_judge(card: RewardModelCard, *, device: str | None = None) -> JudgeRewardModel:
    """The judge that a card of family "judge" describes.

    Raises:
        ModelLoadError: its language model cannot be had, or its server is not in the settings.
    """
    part = card.judge
    if part is None:
        raise ModelLoadError(f"{card.id}: the card has no part 'judge'.")
    backend: JudgeBackend
    if isinstance(card.source, RemoteSource):
        backend = _chat_backend(card, card.source)
        return JudgeRewardModel(card, Judge(card.id, backend, part))
    if isinstance(card.source, AdapterSource):
        raise ModelLoadError(
            f"{card.id}: a judge cannot be an adapter.",
            fix="Merge the adapter into its base and name the merged folder.",
        )
    model = shared_language_model(card.source, dtype=card.dtype, device=device)
    backend = LocalBackend(model, context=card.max_length)
    n_bytes = int(model.network.get_memory_footprint())
    return JudgeRewardModel(card, Judge(card.id, backend, part), n_bytes=n_bytes)


def _chat_backend(card: RewardModelCard, source: RemoteSource) -> ChatBackend:
    from core.models.remote import served_model
    from core.models.remote.identify import identify
    from core.settings import load_settings

    settings = load_settings()
    endpoint = settings.endpoint(source.endpoint)
    if endpoint is None:
        named = ", ".join(each.name for each in settings.endpoints) or "none"
        raise ModelLoadError(
            f"{card.id}: the settings name no endpoint {source.endpoint!r} (they name: {named}).",
            fix="The operator adds it under [[endpoints]] in settings.toml.",
        )
    connection = connection_to(endpoint)
    model = source.model or served_model(card, identify(connection), connection)
    return chat_backend(connection, model)


def chat_backend(connection: Connection, model: str) -> ChatBackend:
    """What asks a model of a chat server, streaming where the server does."""
    server = ChatServer(connection, model)
    endpoint = connection.endpoint
    fingerprint = hashlib.sha256(f"{endpoint.url}\0{model}".encode()).hexdigest()
    return ChatBackend(server.whole, fingerprint, endpoint.concurrency, stream=server.streamed)
