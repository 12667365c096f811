"""Rubric rewards: a language model says of each criterion whether a response meets it.

Each criterion is one question whose answer is read from log-probabilities: P(Yes) / (P(Yes) +
P(No)) of the first token, with the mass both words capture beside it. The explicit reward is the
weighted share of criteria met, the implicit one a single score over all of them (Rubrics as
Rewards, arXiv 2507.17746); see `core.labs.rubric.aggregation` for what pitfalls do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import ConversationError, ModelLoadError, WorkbenchError
from core.labs.rubric.aggregation import Weighing, explicit_rewards
from core.models.base import Capability, ConversationRewardModel, FloatArray, ModelOutput
from core.models.card import AdapterSource, Criterion, RemoteSource, RewardModelCard, RubricPart
from core.models.judges.backends import shared_language_model
from core.models.language import LanguageModel
from core.models.sampling import Tokens
from core.models.turns import with_system_rule
from core.schema import Conversation, Message, split_conversation

YES = ("Yes", " Yes", "yes", " yes", "YES")
NO = ("No", " No", "no", " no", "NO")
SCORES = tuple("123456789")

_ONE = (
    "You check a response to a request against one statement. Reply with one word: Yes if the "
    "statement is true of the response, No if it is not."
)
_ALL = (
    "You score a response to a request by a rubric. Reply with one whole number from 1 (meets "
    "nothing) to 9 (meets everything and has no fault that is listed)."
)
_SCORE_OPENING = "Score: "


@dataclass(frozen=True)
class RubricReading:
    """What the judge said of one response.

    Attributes:
        yes: (k,) probability that each criterion's text holds; of a pitfall, that it is there.
        mass: (k,) probability that the words for Yes and No capture together.
        score: expected score over all criteria, mapped from 1-9 to [0, 1]; NaN where not asked.
        score_mass: probability that the nine digits capture.
    """

    yes: FloatArray
    mass: FloatArray
    score: float = float("nan")
    score_mass: float = float("nan")


class RubricRewardModel(ConversationRewardModel):
    """A rubric in the hands of a language model.

    Args:
        card: with its rubric.
        model: the language model that is asked.
    """

    def __init__(self, card: RewardModelCard, model: LanguageModel) -> None:
        if card.rubric is None:
            raise ModelLoadError(f"{card.id}: the card has no part 'rubric'.")
        self.card = card
        self.part: RubricPart = card.rubric
        self.model = model
        told = [model.fingerprint, card.input.model_dump_json(), self.part.model_dump_json()]
        told += [_ONE, _ALL, _SCORE_OPENING, str(card.max_length), str(card.reward.sign)]
        self.fingerprint = hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REWARD, Capability.CRITERIA})

    @property
    def shared_bytes(self) -> int:
        return int(self.model.network.get_memory_footprint())

    @property
    def residence(self) -> str:
        return f"judge:{self.model.fingerprint}"

    def token_counts(self, conversation: Conversation) -> tuple[int, int]:
        """Tokens of all questions about a response together; none is cut."""
        return sum(len(prompt) for prompt in self._prompts(conversation)), 0

    @property
    def weighing(self) -> Weighing:
        """The weights of the card's criteria."""
        return weighing_of(self.part)

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """The explicit or the implicit reward; a response that is too long has a reason instead."""
        rewards, errors = np.full(len(conversations), np.nan), [""] * len(conversations)
        kind = self.part.aggregate
        for position, conversation in enumerate(conversations):
            try:
                reading = self.read([conversation], asked=(kind,))[0]
            except WorkbenchError as error:
                errors[position] = str(error)
                continue
            reward = reading.score if kind == "implicit" else self.explicit(reading)
            rewards[position] = self.card.reward.sign * reward
        return ModelOutput(rewards, errors=tuple(errors) if any(errors) else ())

    def explicit(self, reading: RubricReading) -> float:
        """The weighted share of criteria met, by the card's weights and rules."""
        yes = reading.yes
        if self.part.met == "yes-no":
            yes = (yes >= 0.5).astype(np.float64)
        return float(explicit_rewards(yes, self.weighing)[0])

    def with_rubric(self, part: RubricPart) -> "RubricRewardModel":
        """The same language model with another rubric."""
        if part == self.part:
            return self
        return RubricRewardModel(self.card.model_copy(update={"rubric": part}), self.model)

    def read(
        self,
        conversations: Sequence[Conversation],
        *,
        asked: Sequence[Literal["explicit", "implicit"]] = ("explicit", "implicit"),
    ) -> list[RubricReading]:
        """What the judge says of each response.

        Args:
            conversations: prompts with responses.
            asked: the criteria one by one, the score over all of them, or both.

        Raises:
            ConversationError: a question is longer than the model reads.
        """
        k = len(self.part.criteria)
        found = []
        for conversation in conversations:
            yes, mass, score, score_mass = np.full(k, np.nan), np.full(k, np.nan), np.nan, np.nan
            if "explicit" in asked:
                yes, mass = self._criteria(conversation)
            if "implicit" in asked:
                score, score_mass = self._score(conversation)
            found.append(RubricReading(yes, mass, score, score_mass))
        return found

    def _criteria(self, conversation: Conversation) -> tuple[FloatArray, FloatArray]:
        questions = self._questions(conversation)
        # They differ from the statement on; what stands before it is passed once.
        n_shared = common_beginning(questions)
        beginning, rest = questions[0][:n_shared], [each[n_shared:] for each in questions]
        after = np.exp(
            self.model.next_token_after(beginning, rest)
            if n_shared and len(questions) > 1
            else self.model.next_token(questions)
        )
        words = [self._tokens(YES), self._tokens(NO)]
        shared = words[0] & words[1]  # a blank by itself begins both
        yes, no = (after[:, sorted(each - shared)].sum(axis=1) for each in words)
        return yes / (yes + no), yes + no

    def _score(self, conversation: Conversation) -> tuple[float, float]:
        after = np.exp(self.model.next_token([self._one_question(conversation)]))[0]
        digits = after[[next(iter(self._tokens([digit]))) for digit in SCORES]]
        mass = float(digits.sum())
        expected = float(digits @ np.arange(1, 10)) / mass
        return (expected - 1) / 8, mass

    def _prompts(self, conversation: Conversation) -> list[Tokens]:
        """What the reward is read from, by the card's aggregate."""
        if self.part.aggregate == "implicit":
            return [self._one_question(conversation)]
        return self._questions(conversation)

    def _questions(self, conversation: Conversation) -> list[Tokens]:
        return [
            self._encoded(_question(conversation, criterion.text, self.card))
            for criterion in self.part.criteria
        ]

    def _one_question(self, conversation: Conversation) -> Tokens:
        messages = _overall(conversation, self.part.criteria, self.card)
        return self._encoded(messages, _SCORE_OPENING)

    def _tokens(self, words: Sequence[str]) -> set[int]:
        """The words that are one token each; where there is none, the first tokens of all."""
        encoded = [self.model.encode(word) for word in words]
        return {tokens[0] for tokens in encoded if len(tokens) == 1} or {t[0] for t in encoded}

    def _encoded(self, messages: list[Message], opening: str = "") -> Tokens:
        text = self.model.render(messages, template=self.card.input.template)
        tokens = self.model.encode(text + opening)
        if len(tokens) > self.card.max_length:
            raise ConversationError(
                f"With the rubric's question it has {len(tokens):,} tokens, and the model reads "
                f"{self.card.max_length:,}.",
                fix="Shorten the response, or raise the card's max_length.",
            )
        return tokens


def common_beginning(texts: Sequence[Tokens]) -> int:
    """How many tokens all texts begin with."""
    first, last = min(texts), max(texts)  # what these two share, all between them share
    n = 0
    while n < min(len(first), len(last)) and first[n] == last[n]:
        n += 1
    return n


def weighing_of(part: RubricPart) -> Weighing:
    """The weights of a rubric part as the lab reads them."""
    return Weighing(
        tuple(criterion.name for criterion in part.criteria),
        np.array([criterion.weight for criterion in part.criteria]),
        np.array([criterion.importance == "pitfall" for criterion in part.criteria]),
        part.pitfalls,
    )


def _shown(conversation: Conversation, card: RewardModelCard) -> str:
    """Request and response as the judge sees them; earlier turns by who speaks."""
    turns, response = split_conversation(conversation)
    turns = with_system_rule(turns, card.input)
    lone = len(turns) == 1
    said = [turn["content"] if lone else f"{turn['role']}: {turn['content']}" for turn in turns]
    return "[Request]\n{}\n\n[Response]\n{}".format("\n\n".join(said), response)


def _question(conversation: Conversation, text: str, card: RewardModelCard) -> list[Message]:
    asked = f"{_shown(conversation, card)}\n\n[Statement]\n{text}\n\nIs it true? Yes or No?"
    return _ask(_ONE, asked, card)


def _overall(
    conversation: Conversation, criteria: Sequence[Criterion], card: RewardModelCard
) -> list[Message]:
    wanted = [
        f"- {'fault, must not be there: ' if each.importance == 'pitfall' else ''}{each.text} "
        f"(weight {each.weight:g})"
        for each in criteria
    ]
    asked = "{}\n\n[Rubric]\n{}".format(_shown(conversation, card), "\n".join(wanted))
    return _ask(_ALL, asked, card)


def _ask(system: str, user: str, card: RewardModelCard) -> list[Message]:
    """A system turn and a user turn, or one user turn for templates without system turns."""
    if card.input.system_prompt == "keep":
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return [{"role": "user", "content": f"{system}\n\n{user}"}]


def load_rubric(card: RewardModelCard, *, device: str | None = None) -> RubricRewardModel:
    """The rubric that a card of family "rubric" describes, over its language model.

    Raises:
        ModelLoadError: the language model cannot be had or has no chat template.
    """
    if isinstance(card.source, RemoteSource | AdapterSource):
        raise ModelLoadError(
            f"{card.id}: a rubric asks a language model in this process.",
            fix="Name an embedded, hub or local model; a served one can judge with a judge card.",
        )
    return RubricRewardModel(
        card, shared_language_model(card.source, dtype=card.dtype, device=device)
    )
