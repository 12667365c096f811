"""Other prompts under which a pair is read again: six kinds, from the table, by rule or typed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import linear_kernel

from core.labs.prompt_awareness.contradictions import contradictions
from core.labs.prompt_awareness.intake import (
    last_user_turn,
    prompt_key,
    prompt_text,
    with_last_user_turn,
)
from core.schema import Message
from core.segments import words

SwapKind = Literal["random", "same-topic", "contradictory", "empty", "shuffled", "typed"]
"""Where another prompt comes from."""

SWAP_KINDS: tuple[SwapKind, ...] = get_args(SwapKind)

KIND_MEANING: dict[SwapKind, str] = {
    "random": "Another prompt of the table, drawn at random: the pair no longer answers it.",
    "same-topic": "Another prompt on the same topic: the harder and fairer test.",
    "contradictory": "The prompt with an instruction that asks for the opposite of its form.",
    "empty": "One user turn without words. Models are not trained on it.",
    "shuffled": "The prompt's own words in random order: its vocabulary without its meaning.",
    "typed": "A prompt that was typed for this pair.",
}

NATURAL_KINDS: tuple[SwapKind, ...] = ("random", "same-topic", "typed")
"""Kinds whose prompts somebody could have asked; the others are controls."""

TypedPrompt = str | tuple[Message, ...]
"""Words for the user's last turn, or messages in place of the whole prompt."""


@dataclass(frozen=True)
class OtherPrompt:
    """A prompt to read a pair under.

    Attributes:
        kind: where it comes from.
        prompt: its messages.
        source: `prompt_id` of the row it was taken from, "" where it was made.
        note: what was done, in a few words.
    """

    kind: SwapKind
    prompt: list[Message]
    source: str = ""
    note: str = ""


class PromptPool:
    """The distinct prompts that others are drawn from, each with its id, text and topic.

    Args:
        table: columns `prompt_id` and `prompt`; of prompts with equal content the first stands.
        topic_column: column that names a prompt's topic; None finds neighbours by their text.
    """

    def __init__(self, table: pd.DataFrame, topic_column: str | None = None) -> None:
        keys = [prompt_key(prompt) for prompt in table["prompt"]]
        first = ~pd.Series(keys, dtype=object).duplicated().to_numpy()
        distinct = table.loc[first]
        self.keys = np.array([key for key, kept in zip(keys, first, strict=True) if kept], object)
        self.ids = np.array([str(prompt_id) for prompt_id in distinct["prompt_id"]], dtype=object)
        self.prompts: list[list[Message]] = list(distinct["prompt"])
        self.texts = [prompt_text(prompt) for prompt in self.prompts]
        self.topics = None if topic_column is None else distinct[topic_column].to_numpy(object)

    def others(self, prompt_id: str, key: str) -> npt.NDArray[np.intp]:
        """Positions of the prompts that are not this one, by id and by content."""
        return np.flatnonzero((self.keys != key) & (self.ids != prompt_id))

    def random(
        self, prompt_id: str, key: str, n: int, rng: np.random.Generator
    ) -> Iterator[OtherPrompt]:
        """Up to n other prompts, drawn without replacement."""
        others = self.others(prompt_id, key)
        for at in rng.choice(others, size=min(n, len(others)), replace=False):
            yield OtherPrompt("random", self.prompts[at], self.ids[at])

    def of_topic(
        self, prompt_id: str, key: str, topic: str | float | None, n: int, rng: np.random.Generator
    ) -> Iterator[OtherPrompt]:
        """Up to n other prompts with the same value in the topic column, drawn at random."""
        if self.topics is None or pd.isna(topic):
            return
        others = self.others(prompt_id, key)
        same = others[self.topics[others] == topic]
        for at in rng.choice(same, size=min(n, len(same)), replace=False):
            yield OtherPrompt("same-topic", self.prompts[at], self.ids[at], f"topic: {topic}")

    def nearest(
        self, prompt_id: str, key: str, text: str, n: int, near_duplicate: float
    ) -> Iterator[OtherPrompt]:
        """Up to n other prompts whose words are most alike, the nearest first.

        Likeness is the cosine of tf-idf vectors over runs of 3 to 5 characters within words.

        Args:
            prompt_id: of the pair's own prompt.
            key: `prompt_key` of the pair's own prompt.
            text: the own prompt's words.
            n: how many at most.
            near_duplicate: prompts at least this alike ask the same thing and are passed over.
        """
        if self._vectors is None:
            return
        vectorizer, vectors = self._vectors
        likeness = linear_kernel(vectorizer.transform([text]), vectors).ravel()
        others = self.others(prompt_id, key)
        near = others[(likeness[others] > 0) & (likeness[others] < near_duplicate)]
        # By position where alike, so that the choice does not depend on the sorting method.
        for at in near[np.argsort(-likeness[near], kind="stable")][:n]:
            note = f"likeness {likeness[at]:.2f}"
            yield OtherPrompt("same-topic", self.prompts[at], self.ids[at], note)

    @cached_property
    def _vectors(self) -> tuple[Any, Any] | None:
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        try:
            return vectorizer, vectorizer.fit_transform(self.texts)
        except ValueError:  # no prompt has a word in it
            return None


def contradictory(prompt: Sequence[Message], n: int) -> Iterator[OtherPrompt]:
    """The prompt with up to n instructions against it, one at a time, after the user's words."""
    at = last_user_turn(prompt)
    if at is None:
        return
    text = prompt[at]["content"]
    for instruction in contradictions(text)[:n]:
        changed = with_last_user_turn(prompt, f"{text.rstrip()}\n\n{instruction}")
        if changed is not None:
            yield OtherPrompt("contradictory", changed, note=instruction)


def empty(prompt: Sequence[Message]) -> Iterator[OtherPrompt]:
    """One user turn without words; nothing for a prompt that has no words to begin with."""
    if any(message["content"].strip() for message in prompt):
        blank: list[Message] = [{"role": "user", "content": ""}]
        yield OtherPrompt("empty", blank, note="no words")


def shuffled(prompt: Sequence[Message], n: int, rng: np.random.Generator) -> Iterator[OtherPrompt]:
    """Up to n prompts with the words of each user turn in random order, no two alike."""
    seen = {prompt_key(prompt)}
    for _ in range(8 * n):
        if len(seen) > n:
            return
        changed: list[Message] = [
            {"role": message["role"], "content": _shuffled_words(message["content"], rng)}
            if message["role"] == "user"
            else message
            for message in prompt
        ]
        key = prompt_key(changed)
        # White space alone makes no other order: the words have to change places.
        if key in seen or [m["content"].split() for m in changed] == [
            m["content"].split() for m in prompt
        ]:
            continue
        seen.add(key)
        yield OtherPrompt("shuffled", changed, note="words in random order")


def _shuffled_words(text: str, rng: np.random.Generator) -> str:
    units = [unit.text(text).strip() for unit in words(text)]
    joint = " " if any(character.isspace() for character in text.strip()) else ""
    return joint.join(units[at] for at in rng.permutation(len(units)))


def typed(prompt: Sequence[Message], prompts: Sequence[TypedPrompt]) -> Iterator[OtherPrompt]:
    """The prompts that were typed, in their order, without those equal to the pair's own."""
    for given in prompts:
        if isinstance(given, str):
            changed = with_last_user_turn(prompt, given) or [{"role": "user", "content": given}]
        else:
            changed = [dict_message(message) for message in given]
        if prompt_key(changed) != prompt_key(prompt):
            yield OtherPrompt("typed", changed, note="typed")


def dict_message(message: Message) -> Message:
    """A copy with nothing but role and content."""
    return {"role": message["role"], "content": message["content"]}
