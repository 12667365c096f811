"""What a reward model is trained on: authored prompts or any table of pairs, in one form.

A `ResponseGroup` is one prompt with its responses, the chosen one first. What is done to the texts
before training (`core.training.biases`) maps groups to groups; `core.training.groups` encodes them.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import TableError
from core.schema import Message, content_id, split_conversation
from core.tables import ConversationTable, PairEntry, read_conversations, read_table
from core.training.preferences import AuthoredPrompt, read_preferences, split_prompts

GOOD = "good"
"""The kind of a chosen response; rejected ones carry their flaw, or `REJECTED`."""

REJECTED = "rejected"

_FEWEST_GROUPS = 2


@dataclass(frozen=True)
class TrainingResponse:
    """One response: its kind ("good", a flaw, "rejected"), its text, and what was planted in it.

    Attributes:
        planted: how much of the planted shortcut the text shows; NaN where none was planted.
    """

    kind: str
    text: str
    planted: float = math.nan


@dataclass(frozen=True)
class ResponseGroup:
    """One prompt with its responses, the chosen one first.

    Attributes:
        prompt_id: groups with the same one stay on one side of the validation split.
        category: swapped responses come from the same category.
        messages: the turns before the response.
        responses: the chosen one, then the rejected ones.
    """

    prompt_id: str
    category: str
    messages: tuple[Message, ...]
    responses: tuple[TrainingResponse, ...]

    @property
    def prompt(self) -> str:
        """The text of the last turn before the response."""
        return self.messages[-1]["content"] if self.messages else ""

    @property
    def good(self) -> str:
        """The chosen response's text."""
        return self.responses[0].text


@dataclass(frozen=True)
class TrainingData:
    """Everything a run may read.

    Attributes:
        groups: what is trained on, before the validation split.
        source: what decides a run's identity: the prompts as they were read.
        left_out: what could not be used, counted by reason.
    """

    groups: tuple[ResponseGroup, ...]
    source: tuple[AuthoredPrompt | ResponseGroup, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_authored(self) -> bool:
        """Whether these are authored prompts: a mistake in one of them is an error."""
        return all(isinstance(item, AuthoredPrompt) for item in self.source)


def read_training_data(path: Path | None = None) -> TrainingData:
    """Reads authored prompts (their training part) or a table of pairs (all of it).

    Args:
        path: a folder or file of authored prompts, or a table of pairs in any shape and format that
            `core.tables` reads; the authored set of the package when None.

    Raises:
        TableError: the file cannot be read, or holds no pairs.
    """
    if path is None or path.is_dir() or _is_authored(path):
        prompts = split_prompts(read_preferences(path)).train
        return TrainingData(tuple(map(authored_group, prompts)), prompts)
    return pair_groups(read_conversations(read_table(path)))


def authored_group(prompt: AuthoredPrompt) -> ResponseGroup:
    """An authored prompt's good response against its flawed ones."""
    flawed = [TrainingResponse(f.flaw, f.response) for f in prompt.flawed]
    responses = (TrainingResponse(GOOD, prompt.good), *flawed)
    return ResponseGroup(prompt.id, prompt.category, prompt.messages, responses)


def pair_groups(table: ConversationTable) -> TrainingData:
    """The pairs of a table, those of one prompt with the same chosen response in one group.

    Raises:
        TableError: the table holds no pairs, or fewer than two prompts of usable ones.
    """
    name = table.source.name
    if not table.shape.is_paired:
        raise TableError(
            f"{name}: holds single responses (shape {table.shape.name}), and training needs pairs.",
            fix="Give it the columns prompt, chosen and rejected.",
        )
    left_out: Counter[str] = Counter()
    found: dict[tuple[str, str, str], ResponseGroup] = {}
    for pair in table.pairs:
        group = _group_of_pair(table, pair, left_out)
        if group is not None:
            key = group.prompt_id, content_id(group.messages), group.good
            before = found[key].responses if key in found else group.responses[:1]
            found[key] = replace(group, responses=(*before, *group.responses[1:]))
    groups = tuple(found.values())
    if len({group.prompt_id for group in groups}) < _FEWEST_GROUPS:
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise TableError(
            f"{name}: fewer than two prompts with a usable pair{': ' if reasons else '.'}{reasons}",
            fix="Training needs several prompts.",
        )
    return TrainingData(groups, groups, dict(left_out))


def _group_of_pair(
    table: ConversationTable, pair: PairEntry, left_out: Counter[str]
) -> ResponseGroup | None:
    sides = [table.entries[place] for place in (pair.chosen, pair.rejected)]
    conversations = [side.conversation for side in sides if side.conversation is not None]
    if len(conversations) < len(sides):
        problem = next(side.problem for side in sides if side.problem is not None)
        left_out[problem.reason] += 1
        return None
    (prompt, chosen), (other_prompt, rejected) = map(split_conversation, conversations)
    if prompt != other_prompt:
        left_out["chosen and rejected differ before the last turn"] += 1
        return None
    if chosen == rejected:
        left_out["chosen and rejected are the same text"] += 1
        return None
    responses = (TrainingResponse(GOOD, chosen), TrainingResponse(REJECTED, rejected))
    return ResponseGroup(pair.prompt_id, "", tuple(prompt), responses)


def _is_authored(path: Path) -> bool:
    """Whether a file is of authored prompts: JSON lines whose first one has their fields."""
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "")
    return '"good"' in first and '"flawed"' in first
