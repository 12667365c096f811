"""What a perturbation is: a named edit of a prompt or response with a statement of its effect.

An edit is a plain function from an `EditRequest` to an `Edited` text. It raises `NotApplicable`
where it has nothing to work on, so that an unchanged text is never mistaken for a result.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import PerturbationError
from core.schema import Conversation, Message, content_id, split_conversation

Group = Literal["nothing", "lower", "raise", "shortcut"]
"""What a perturbation should do to the reward of a good reward model."""

GROUPS: tuple[Group, ...] = get_args(Group)

GROUP_MEANING: dict[Group, str] = {
    "nothing": "The meaning stays: the reward should not move.",
    "lower": "The response gets worse: the reward should drop.",
    "raise": "The response gets better: the reward should rise.",
    "shortcut": "Only the manner changes: a reward that rises has taken a shortcut.",
}

Target = Literal["prompt", "response", "conversation"]
"""Which text is edited: the last user turn, the response, or every turn."""


class NotApplicable(Exception):  # noqa: N818 - not an error: the answer of an edit with nothing to do
    """Raised by an edit that finds nothing to work on; `reason` says what is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class EditRequest:
    """What an edit gets to work with.

    Attributes:
        text: the text to edit.
        prompt: the last user turn, or the empty text where there is none.
        rng: the only source of randomness an edit may use.
        dose: how much of the edit to apply, at least 1; edits without doses ignore it.
        conversation: the texts of all turns as they were. An edit of the whole conversation is
            called once a turn, each time with the same chance, and reads here what the other turns
            say, so that what it decides holds for all of them.
    """

    text: str
    prompt: str
    rng: random.Random
    dose: int = 1
    conversation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edited:
    """The edited text, and in a few words what was changed ("1,200 became 1,700")."""

    text: str
    note: str


Edit = Callable[[EditRequest], Edited]


@dataclass(frozen=True)
class PerturbationOutcome:
    """The result of applying a perturbation.

    Attributes:
        applied: whether the text was changed.
        conversation: the edited conversation, or a copy of the given one where not applied.
        reason: why it was not applied; empty where it was.
        note: what was changed; empty where nothing was.
    """

    applied: bool
    conversation: list[Message]
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Perturbation:
    """A named edit of one text of a conversation, or of all of them alike.

    Attributes:
        name: the identifier, lower-case words joined by hyphens.
        title: the name a person reads.
        group: what it should do to the reward.
        description: one sentence on what it changes.
        target: which text it edits.
        edit: the function that makes the new text.
        doses: the amounts it comes in, rising, or empty where it is all or nothing. A larger dose
            contains the smaller one's changes where the seed is the same.
        default_dose: the amount applied when none is asked for.
    """

    name: str
    title: str
    group: Group
    description: str
    target: Target
    edit: Edit
    doses: tuple[int, ...] = ()
    default_dose: int = 1

    def apply(
        self, conversation: Conversation, seed: int = 0, dose: int | None = None
    ) -> PerturbationOutcome:
        """The conversation with its target text edited; the same arguments give the same result.

        Raises:
            ConversationError: the conversation does not end with the assistant's turn.
            PerturbationError: the perturbation does not come in this dose.
        """
        dose = self._checked_dose(dose)
        split_conversation(conversation)
        messages = [Message(role=turn["role"], content=turn["content"]) for turn in conversation]
        texts = tuple(message["content"] for message in messages)
        asked = _last_user_turn(messages)
        if self.target == "prompt" and asked is None:
            return PerturbationOutcome(False, messages, "There is no user turn to edit.")
        prompt = "" if asked is None else texts[asked]
        positions = [at for at in self._positions(messages, asked) if texts[at].strip()]
        if not positions:
            return PerturbationOutcome(False, messages, f"The {self.target} is empty.")
        # By prompt, so that both sides of a pair get the same words but a table does not get one
        # compliment or one cut for all its rows.
        source = f"{self.name}:{seed}:{content_id(prompt)}"
        reasons, notes = [], []
        for at in positions:
            rng = random.Random(source)  # noqa: S311 - a seeded choice of words, no secret
            try:
                edited = self.edit(EditRequest(texts[at], prompt, rng, dose, texts))
            except NotApplicable as nothing_to_do:
                reasons.append(nothing_to_do.reason)
                continue
            if edited.text == texts[at]:
                reasons.append("The edit would leave the text as it is.")
                continue
            messages[at]["content"] = edited.text
            notes.append(edited.note)
        if not notes:
            return PerturbationOutcome(False, messages, reasons[0])
        return PerturbationOutcome(True, messages, note="; ".join(dict.fromkeys(notes)))

    def _positions(self, messages: Sequence[Message], asked: int | None) -> Sequence[int]:
        """Which turns are edited."""
        if self.target == "conversation":
            return range(len(messages))
        return [asked] if self.target == "prompt" and asked is not None else [len(messages) - 1]

    def _checked_dose(self, dose: int | None) -> int:
        if dose is None:
            return self.default_dose
        allowed = self.doses or (1,)
        if dose not in allowed:
            listed = ", ".join(map(str, allowed))
            raise PerturbationError(f"{self.name} does not come in dose {dose}, only in {listed}.")
        return dose


def replace_ranges(text: str, replacements: Sequence[tuple[int, int, str]]) -> str:
    """`text` with each (start, end, new text) put in; the ranges must not overlap.

    Insertions at one place come in the order given.
    """
    parts: list[str] = []
    at = 0
    for start, end, new in sorted(replacements, key=lambda change: change[:2]):
        parts.extend((text[at:start], new))
        at = end
    return "".join(parts) + text[at:]


def _last_user_turn(messages: Sequence[Message]) -> int | None:
    positions = [at for at, message in enumerate(messages) if message["role"] == "user"]
    return positions[-1] if positions else None
