"""The texts that are scored: pairs of RM-Bench chat in file order, or the authored pairs."""

import itertools
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.engine.templating import encode
from core.models.base import TokenRewardModel, TokenSequence
from core.paths import data_folder
from core.schema import Message, make_conversation

FOLDER_VARIABLE = "REWARD_WORKBENCH_SHARED_DATA"
REPOSITORY = Path(__file__).resolve().parent.parent

Pair = tuple[list[Message], list[Message]]
"""A chosen and a rejected conversation."""


@dataclass(frozen=True)
class Sample:
    """Pairs in file order, and where they come from."""

    source: str
    pairs: tuple[Pair, ...]

    @property
    def conversations(self) -> list[list[Message]]:
        """Chosen and rejected conversations in turn."""
        return [conversation for pair in self.pairs for conversation in pair]


def load_sample(n_conversations: int) -> Sample:
    """The first conversations of RM-Bench chat, or of the authored pairs where it is absent.

    Args:
        n_conversations: how many; an odd number is rounded up to whole pairs.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    file = folder / "rm-bench" / "chat.json"
    n_pairs = max(1, (n_conversations + 1) // 2)
    if file.is_file():
        return Sample("RM-Bench chat", tuple(itertools.islice(_rm_bench(file), n_pairs)))
    return Sample("authored pairs", tuple(itertools.islice(_authored(), n_pairs)))


def _rm_bench(file: Path) -> Iterator[Pair]:
    for row in json.loads(file.read_text(encoding="utf-8")):
        for chosen, rejected in zip(row["chosen"], row["rejected"], strict=True):
            prompt = row["prompt"]
            yield make_conversation(prompt, chosen), make_conversation(prompt, rejected)


def _authored() -> Iterator[Pair]:
    for file in sorted((data_folder() / "preferences").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for flawed in row["flawed"]:
                good = make_conversation(row["prompt"], row["good"])
                yield good, make_conversation(row["prompt"], flawed["response"])


class Composer:
    """Conversations of exact token counts in the model's own template, from the sample's words."""

    def __init__(self, model: TokenRewardModel, sample: Sample) -> None:
        frame = encode(model, make_conversation("Prompt", "Response"))
        user, response = frame.spans[0].tokens, frame.spans[-1].tokens
        if user is None or response is None:
            raise SystemExit("The model's template changes the texts: they cannot be sized.")
        ids = frame.sequence.ids
        self._before, self._between = ids[: user[0]], ids[user[1] : response[0]]
        self._after = ids[response[1] :]
        text = "\n".join(conversation[-1]["content"] for conversation in sample.conversations)
        self.words: Sequence[int] = model.tokenizer(
            text, add_special_tokens=False, verbose=False
        ).input_ids
        self._random = random.Random(0)

    def prompt(self, n_tokens: int) -> tuple[int, ...]:
        """A prompt that takes `n_tokens` up to where the response begins."""
        free = n_tokens - len(self._before) - len(self._between)
        return (*self._before, *self.take(max(1, free)), *self._between)

    def conversation(self, prompt: Sequence[int], n_response: int) -> TokenSequence:
        """The prompt with a random response of `n_response` tokens, and the turn's end."""
        return TokenSequence((*prompt, *self.take(n_response), *self._after))

    def take(self, count: int) -> tuple[int, ...]:
        """Consecutive tokens of the sample from a random place on."""
        start = self._random.randrange(len(self.words))
        return tuple(itertools.islice(itertools.cycle(self.words), start, start + count))
