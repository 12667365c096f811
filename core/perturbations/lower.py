"""Edits that make a response worse: a good reward model gives less after them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import regex

from core.paths import data_folder
from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.lexicon import content_words
from core.perturbations.negation import negate
from core.perturbations.numbers import change_number
from core.segments import LIST_MARKER, Segment, sentences, words
from core.verbatim import line_ranges, verbatim_ranges

_FEWEST_WORDS_IN_SENTENCE = 4
_FEWEST_WORDS_TO_CUT = 8
_CUT_BETWEEN = (0.4, 0.75)
_N_CLOSEST = 12


def drop_sentence(request: EditRequest) -> Edited:
    """Leaves one sentence out, or one list item where there is no other prose to choose from.

    The sentence that introduces a list or a block (it ends with a colon) stays, and the items
    after a dropped one are numbered anew.

    Raises:
        NotApplicable: there is no sentence that could go and leave others behind.
    """
    text = request.text
    units = [unit for unit in sentences(text) if unit.core_end > unit.core_start]
    droppable = [at for at, unit in enumerate(units) if _carries_content(text, unit)]
    if len(units) < 2 or not droppable:
        raise NotApplicable("There are not two sentences, of which one could go.")
    in_prose = [at for at in droppable if units[at].kind == "prose"]
    at = request.rng.choice(in_prose or droppable)
    edited = without_unit(text, units, at)
    return Edited(edited, f"left out: {shortened(units[at].core(text))}")


def _carries_content(text: str, unit: Segment) -> bool:
    core = unit.core(text)
    if unit.kind == "item":
        # An item of several sentences cannot lose its first without losing its marker.
        return LIST_MARKER.match(core) is not None
    n_words = sum(word.kind == "word" for word in words(core))
    return unit.kind == "prose" and n_words >= _FEWEST_WORDS_IN_SENTENCE and core[-1] not in ":："


def without_unit(text: str, units: Sequence[Segment], at: int, last_one: int | None = None) -> str:
    """The text without a sentence, or without all of the list item that it opens.

    Args:
        text: the whole text.
        units: its sentences, those without a core left out.
        at: the position of the sentence among them.
        last_one: the position of the last sentence that goes with it, where the caller knows.
    """
    first, last = at, at if last_one is None else last_one
    if units[at].kind == "item" and last_one is None:
        while last + 1 < len(units) and _continues_item(text, units[last + 1]):
            last += 1
    begin, end = units[first].core_start, units[last].end
    space_after = text[units[last].core_end : end]
    space_before = text[units[first - 1].core_end : begin] if first else "\n"
    ends_paragraph = "\n" in space_after and "\n" not in space_before
    if ends_paragraph or last + 1 == len(units):
        # The end of a paragraph, or of the text, keeps the white space that ends it.
        begin, end = (units[first - 1].core_end if first else begin), units[last].core_end
    shortened = text[:begin] + text[end:]
    number = LIST_MARKER.match(text, units[at].start)
    if units[at].kind != "item" or number is None or number["number"] is None:
        return shortened
    return _renumbered(shortened, begin, int(number["number"]), number["indent"])


def _continues_item(text: str, unit: Segment) -> bool:
    return unit.kind == "item" and LIST_MARKER.match(text, unit.start) is None


def _renumbered(text: str, begin: int, number: int, indent: str) -> str:
    """The text with its list items from `begin` on counted from `number`, while they count on."""
    changes = []
    for start, end in line_ranges(text):
        marker = LIST_MARKER.match(text, start, end)
        if start < begin or marker is None or marker["indent"] != indent:
            continue
        if marker["number"] is None or int(marker["number"]) != number + 1:
            break
        changes.append((*marker.span("number"), str(number)))
        number += 1
    return replace_ranges(text, changes)


def shortened(text: str, length: int = 60) -> str:
    """The beginning of a text, for a note on what was changed."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


_SENTENCE_END = regex.compile(r"[.!?…。！？؟۔।]")


def truncate(request: EditRequest) -> Edited:
    """Cuts the text in the middle of a sentence, after 40 to 75 % of its words.

    Raises:
        NotApplicable: the text has fewer than eight words, or ends a sentence after each.
    """
    text = request.text
    units = [word for word in words(text) if word.kind == "word"]
    if len(units) < _FEWEST_WORDS_TO_CUT:
        raise NotApplicable(f"The text has fewer than {_FEWEST_WORDS_TO_CUT} words.")
    low, high = (round(share * len(units)) for share in _CUT_BETWEEN)
    inside = [
        unit.core_end
        for unit in units[low - 1 : high]
        if not _SENTENCE_END.search(text, unit.core_end, unit.end)
    ]
    if not inside:
        raise NotApplicable("No sentence is long enough to be cut in its middle.")
    cut = request.rng.choice(inside)
    kept = sum(unit.core_end <= cut for unit in units)
    return Edited(text[:cut], f"cut after {kept} of {len(units)} words")


def repeat_sentence(request: EditRequest) -> Edited:
    """Says one sentence again right behind itself, as many times as the dose.

    Raises:
        NotApplicable: there is no full sentence of four words or more outside lists and code.
    """
    text = request.text
    code = verbatim_ranges(text, ("code",))
    full = [
        unit
        for unit in sentences(text)
        if unit.core_end > unit.core_start
        and unit.kind == "prose"
        and _carries_content(text, unit)
        and not code.touches(unit.core_start, unit.core_end)
    ]
    if not full:
        raise NotApplicable("There is no full sentence outside lists and code.")
    said = request.rng.choice(full)
    again = f" {said.core(text)}" * request.dose
    edited = replace_ranges(text, [(said.core_end, said.core_end, again)])
    return Edited(edited, f"said {request.dose + 1} times: {shortened(said.core(text))}")


@dataclass(frozen=True)
class AuthoredAnswer:
    """A good response of the authored preference pairs, and what its prompt is about."""

    category: str
    prompt: str
    response: str
    n_words: int
    topic: frozenset[str]


def answer_another_question(request: EditRequest) -> Edited:
    """Puts a good answer to another question in the response's place.

    The answer comes from the authored pairs: from another category than the prompt's where the
    prompt is one of them, without a topic word of the prompt, and about as long as the response,
    so that length gives nothing away.

    Raises:
        NotApplicable: the authored pairs are not installed or none of them is off the topic.
    """
    topic = _topic(f"{request.prompt}\n{request.text}")
    answers = authored_answers()
    own = {answer.category for answer in answers if answer.prompt == request.prompt}
    others = [
        answer
        for answer in answers
        if answer.category not in own
        and answer.response != request.text
        and topic.isdisjoint(answer.topic)
    ]
    if not others:
        raise NotApplicable("No authored answer to an unrelated question is at hand.")
    n_words = len(words(request.text))
    others.sort(key=lambda answer: abs(answer.n_words - n_words))
    chosen = request.rng.choice(others[:_N_CLOSEST])
    return Edited(chosen.response, f"the answer to: {shortened(chosen.prompt)}")


def authored_answers() -> tuple[AuthoredAnswer, ...]:
    """The good responses of `data/preferences`, in the order of the files; empty without them."""
    return _read_answers(data_folder() / "preferences")


@lru_cache(maxsize=1)
def _read_answers(folder: Path) -> tuple[AuthoredAnswer, ...]:
    answers = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
            row = json.loads(line)
            category, prompt, good = row["category"], row["prompt"], row["good"]
            answers.append(AuthoredAnswer(category, prompt, good, len(words(good)), _topic(prompt)))
    return tuple(answers)


def _topic(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in content_words(text))


PERTURBATIONS = (
    Perturbation(
        name="negate",
        title="Negate a statement",
        group="lower",
        description="Turns statements into their opposite.",
        target="response",
        edit=negate,
        doses=(1, 2, 4),
    ),
    Perturbation(
        name="wrong-number",
        title="Make a number wrong",
        group="lower",
        description="Replaces a number by another one of the same size and form.",
        target="response",
        edit=change_number,
    ),
    Perturbation(
        name="drop-sentence",
        title="Leave a sentence out",
        group="lower",
        description="Leaves out a sentence, or a list item where all is list.",
        target="response",
        edit=drop_sentence,
    ),
    Perturbation(
        name="repeat-sentence",
        title="Repeat a sentence",
        group="lower",
        description="Says one sentence again right behind itself.",
        target="response",
        edit=repeat_sentence,
        doses=(1, 2, 4),
    ),
    Perturbation(
        name="answer-another-question",
        title="Answer another question",
        group="lower",
        description="Puts a good answer of the same length to an unrelated question in its place.",
        target="response",
        edit=answer_another_question,
    ),
    Perturbation(
        name="truncate",
        title="Cut in mid-sentence",
        group="lower",
        description="Cuts the response in the middle of a sentence.",
        target="response",
        edit=truncate,
    ),
)
