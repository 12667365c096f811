"""A generative judge: asks about items in every order wanted, and reads what is written back.

An item is a prompt with responses A, B, C, ... A judge shows them in some order; every verdict and
every score is turned back to the responses' own letters.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from core.errors import SettingsError, TableError
from core.models.card import JudgePart
from core.models.judges.backends import Ask, JudgeBackend, Watch, Words, Written
from core.models.judges.formats import LETTERS, TIE, Asking, Reading, judging_format
from core.schema import ITEM_COLUMNS, JUDGEMENT_COLUMNS, Message, PreferencePair

LOW_MASS = 0.5
"""Verdict tokens that capture less of the probability say little about what the judge would say."""


@dataclass(frozen=True)
class Item:
    """One prompt with the responses to judge (a row of `core.schema.ITEM_COLUMNS`)."""

    item_id: str
    prompt: str
    responses: tuple[str, ...]
    best: str | None = None
    subset: str = ""
    source: str = ""


@dataclass(frozen=True)
class Question:
    """Judgements wanted of one item in one order.

    Attributes:
        item: what is judged.
        order: letters of the responses shown, in the order shown.
        first: number of the first sample.
        n: how many.
    """

    item: Item
    order: str
    first: int
    n: int


@dataclass(frozen=True)
class Record:
    """What a judge gave for one sample, before it is read; this is what is stored.

    Attributes:
        n_tokens: of the text, None where the server does not say.
        log_probabilities: of the verdict words (nats), None where text was written.
        problem: why there is nothing to read, "" where there is.
    """

    text: str
    n_tokens: int | None
    truncated: bool
    log_probabilities: dict[str, float] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Judgement:
    """One judgement, read; the fields are `core.schema.JUDGEMENT_COLUMNS`."""

    judge: str
    item_id: str
    sample: int
    order: str
    format: str
    verdict: str | None
    scores: tuple[float, ...] | None
    confidence: float
    mass: float
    meta_score: float
    n_tokens: float
    truncated: bool
    seed: int
    raw: str
    problem: str


class Judge:
    """One judge: a format, a way to read the verdict, and a model that writes.

    Args:
        name: as in tables; a card's id.
        backend: who writes.
        part: how it judges.

    Raises:
        SettingsError: the format's verdict cannot be read from log-probabilities.
    """

    def __init__(self, name: str, backend: JudgeBackend, part: JudgePart) -> None:
        self.name = name
        self.backend = backend
        self.part = part
        self.form = judging_format(part.format)
        if self.reads_words and not self.form.words(2):
            raise SettingsError(
                f"{name}: a verdict in the format {part.format} is no single word, so it has no "
                "log-probability to read.",
                fix="Set judge.verdict to text, or take a pair format or rubric-score.",
            )

    @property
    def reads_words(self) -> bool:
        """Whether verdicts are read from log-probabilities, so that nothing is drawn."""
        return self.part.verdict == "log-probability"

    @property
    def samples(self) -> int:
        """Judgements of each item and order; one where the likeliest is always taken."""
        return 1 if self.reads_words or self.part.temperature == 0 else self.part.samples

    @property
    def settings_key(self) -> str:
        """All that determines a text but the question, its order and the sample's number."""
        part = self.part
        drawn: list[object] = ["words"]
        if not self.reads_words:
            drawn = [part.temperature, part.top_p, part.max_new_tokens, part.seed]
        return json.dumps([self.backend.fingerprint, part.verdict, *drawn])

    def changed(self, **settings: Any) -> "Judge":
        """The same judge with other settings of its card's judge part."""
        return Judge(
            self.name,
            self.backend,
            JudgePart.model_validate({**self.part.model_dump(), **settings}),
        )

    def orders(self, item: Item) -> tuple[str, ...]:
        """The orders an item is shown in; of a list of three and more each sample has its own."""
        letters = LETTERS[: len(item.responses)]
        if self.form.candidates == "one":
            return tuple(letters)
        if self.form.candidates == "two":
            pairs = ["".join(pair) for pair in combinations(letters, 2)]
            both = [order for pair in pairs for order in (pair, pair[::-1])]
            return tuple(both if self.part.both_orders else pairs)
        if len(letters) == 2 and self.part.both_orders:
            return (letters, letters[::-1])
        return (letters,)

    def questions(self, items: Iterable[Item], samples: int | None = None) -> list[Question]:
        """What to ask so that each item has all its judgements.

        Args:
            samples: of each item and order, in place of the card's.

        Raises:
            TableError: an item has too few or too many responses for the format.
        """
        n = self.samples if samples is None or self.samples == 1 else samples
        found: list[Question] = []
        for item in items:
            self._check(item)
            if self._is_shuffled(item):
                found += [
                    Question(item, self._shuffled(item, sample), sample, 1) for sample in range(n)
                ]
            else:
                found += [Question(item, order, 0, n) for order in self.orders(item)]
        return found

    def key(self, question: Question, sample: int) -> bytes:
        """Digest of all that determines one text: it is never asked for twice."""
        digest = hashlib.sha256(self.settings_key.encode())
        digest.update(json.dumps([question.order, sample]).encode())
        digest.update(_messages_hash(self.messages(question)))
        return digest.digest()

    def messages(self, question: Question) -> list[Message]:
        """What the judge is asked."""
        item = question.item
        return self.form.messages(
            Asking(
                item.prompt,
                tuple(item.responses[LETTERS.index(letter)] for letter in question.order),
                rubric=self.part.rubric,
                instruction=self.part.instruction,
            )
        )

    def ask(
        self, questions: Sequence[Question], *, watch: Watch | None = None
    ) -> list[list[Record | None]]:
        """The records of each question in the order of their numbers; None for one that was ended.

        Args:
            watch: told while texts are written, with the question's position.
        """
        if self.reads_words:
            return [[record] for record in self._word_records(questions)]
        asks = []
        for question in questions:
            messages = self.messages(question)
            own = int.from_bytes(_messages_hash(messages)[:4], "big")
            seed = (self.part.seed, own)
            asks.append(Ask(tuple(messages), question.n, question.first, seed))
        written = self.backend.complete(asks, self.part, watch=watch)
        return [[_record(each) for each in texts] for texts in written]

    def judge(
        self,
        items: Iterable[Item],
        *,
        samples: int | None = None,
        watch: Watch | None = None,
    ) -> list[Judgement]:
        """All judgements of the items; nothing is stored (see `core.engine.judgements`)."""
        asked = self.questions(items, samples)
        return [
            self.read(question, question.first + number, record)
            for question, records in zip(asked, self.ask(asked, watch=watch), strict=True)
            for number, record in enumerate(records)
            if record is not None
        ]

    def read(self, question: Question, sample: int, record: Record) -> Judgement:
        """A record's verdict or scores, by the responses' own letters."""
        reading, confidence, mass = self._reading(question, record)
        problem = reading.problem
        if problem and record.truncated:
            n = record.n_tokens
            problem += f" The text was cut at {'its limit' if n is None else f'{n} tokens'}."
        return Judgement(
            judge=self.name,
            item_id=question.item.item_id,
            sample=sample,
            order=question.order,
            format=self.part.format,
            verdict=_own_letter(reading.verdict, question.order),
            scores=_own_order(reading.scores, question.order),
            confidence=confidence,
            mass=mass,
            meta_score=math.nan,
            n_tokens=math.nan if record.n_tokens is None else record.n_tokens,
            truncated=record.truncated,
            seed=self.part.seed,
            raw=record.text,
            problem=problem,
        )

    def _reading(self, question: Question, record: Record) -> tuple[Reading, float, float]:
        if record.problem:
            return Reading(problem=record.problem), math.nan, math.nan
        if record.log_probabilities is None:
            return self.form.read(record.text, len(question.order)), math.nan, math.nan
        shares = {word: math.exp(value) for word, value in record.log_probabilities.items()}
        mass = sum(shares.values())
        likeliest = max(shares, key=lambda word: shares[word])
        reading = self.form.read_word(likeliest)
        if reading.scores is not None:
            # The expected score: with one token a score, that is exact.
            expected = sum(
                share * (self.form.read_word(word).scores or (math.nan,))[0]
                for word, share in shares.items()
            )
            reading = replace(reading, scores=(expected / mass,))
        return reading, shares[likeliest] / mass, mass

    def _word_records(self, questions: Sequence[Question]) -> list[Record]:
        words = self.form.words(2)
        conversations = [self.messages(question) for question in questions]
        found = self.backend.verdict_log_probabilities(conversations, self.form.opening, words)
        return [_words_record(self.form.opening, each) for each in found]

    def _is_shuffled(self, item: Item) -> bool:
        return self.form.candidates == "many" and len(item.responses) > 2 and self.part.both_orders

    def _shuffled(self, item: Item, sample: int) -> str:
        """An order of its own for every sample, drawn from the seed and the item's text."""
        text = json.dumps([item.prompt, item.responses], ensure_ascii=False)
        own = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        rng = np.random.default_rng([self.part.seed, own, sample])
        return "".join(LETTERS[place] for place in rng.permutation(len(item.responses)))

    def _check(self, item: Item) -> None:
        n = len(item.responses)
        least = 2 if self.form.candidates == "two" else 1
        if not least <= n <= len(LETTERS):
            wanted = f"{least} to {len(LETTERS)}"
            raise TableError(
                f"Item {item.item_id} has {n} responses; the format {self.part.format} takes "
                f"{wanted}."
            )


def items_from_table(table: pd.DataFrame) -> list[Item]:
    """Items from a table with `core.schema.ITEM_COLUMNS`; best, subset and source may be missing.

    Raises:
        TableError: a column is missing, or a row's responses are no list of texts.
    """
    missing = [name for name in ("item_id", "prompt", "responses") if name not in table.columns]
    if missing:
        raise TableError(
            f"The items have no column {', '.join(missing)}.",
            fix=f"An items table has the columns {', '.join(ITEM_COLUMNS)}.",
        )
    return [
        _item({str(name): value for name, value in row.items()}) for row in table.to_dict("records")
    ]


def items_from_pairs(pairs: Iterable[PreferencePair], *, source: str = "") -> list[Item]:
    """Pairs as items: the chosen response is A in every second pair and B in the others."""
    from core.models.judges.formats import prompt_text

    found = []
    for number, pair in enumerate(pairs):
        swapped = number % 2 == 1
        texts = (pair.rejected, pair.chosen) if swapped else (pair.chosen, pair.rejected)
        best = "B" if swapped else "A"
        prompt = prompt_text(pair.prompt)
        found.append(Item(f"{pair.prompt_id}#{number}", prompt, texts, best, "", source))
    return found


def judgement_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Judgements as a table (`core.schema.JUDGEMENT_COLUMNS`)."""
    rows = [asdict(each) for each in judgements]
    for row in rows:
        row["scores"] = None if row["scores"] is None else list(row["scores"])
    return pd.DataFrame(rows, columns=list(JUDGEMENT_COLUMNS))


def item_table(items: Iterable[Item]) -> pd.DataFrame:
    """Items as a table (`core.schema.ITEM_COLUMNS`)."""
    rows = [{**asdict(item), "responses": list(item.responses)} for item in items]
    return pd.DataFrame(rows, columns=list(ITEM_COLUMNS))


def _item(row: dict[str, Any]) -> Item:
    responses = row["responses"]
    if isinstance(responses, str):
        try:
            responses = json.loads(responses)
        except ValueError:
            responses = None
    if isinstance(responses, np.ndarray):
        responses = responses.tolist()
    texts = responses if isinstance(responses, list | tuple) else ()
    if not texts or not all(isinstance(text, str) for text in texts):
        raise TableError(f"Item {row['item_id']}: responses is not a list of texts.")
    best = row.get("best")
    letters = LETTERS[: len(texts)]
    known = isinstance(best, str) and len(best) == 1 and best in letters
    return Item(
        str(row["item_id"]),
        str(row["prompt"]),
        tuple(texts),
        str(best) if known else None,
        str(row.get("subset") or ""),
        str(row.get("source") or ""),
    )


def _messages_hash(messages: Sequence[Message]) -> bytes:
    text = json.dumps([dict(each) for each in messages], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _record(written: Written | None) -> Record | None:
    if written is None:
        return None
    return Record(written.text, written.n_tokens, written.truncated, problem=written.problem)


def _words_record(opening: str, words: Words) -> Record:
    if words.problem:
        return Record("", 0, False, problem=words.problem)
    found = words.log_probabilities
    likeliest = max(found, key=lambda word: found[word])
    return Record(opening + likeliest, 1, False, found)


def _own_letter(verdict: str | None, order: str) -> str | None:
    if verdict is None or verdict == TIE:
        return verdict
    return order[LETTERS.index(verdict)]


def _own_order(scores: tuple[float, ...] | None, order: str) -> tuple[float, ...] | None:
    """Scores by place put into the responses' own order; those of one response stay one."""
    if scores is None:
        return None
    return tuple(score for _, score in sorted(zip(order, scores, strict=True)))
