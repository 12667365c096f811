from pathlib import Path
from typing import Any

import pytest
import yaml

from core.models.judges.formats import FORMATS, Asking

CORPUS = Path(__file__).parent / "corpus"
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}: {case['name']}")
    for file in sorted(CORPUS.glob("*.yaml"))
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
]


def test_every_format_has_a_corpus_of_good_and_broken_outputs() -> None:
    assert {file.stem for file in CORPUS.glob("*.yaml")} == set(FORMATS)
    assert len(CASES) >= 40
    for file in CORPUS.glob("*.yaml"):
        cases = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert len({case["name"] for case in cases}) == len(cases) >= 15
        assert len({case["text"] for case in cases}) == len(cases)
        assert sum("problem" in case for case in cases) >= 5
        assert sum("problem" not in case for case in cases) >= 5


@pytest.mark.parametrize(("name", "case"), CASES)
def test_output_is_read_as_it_says(name: Any, case: dict[str, Any]) -> None:
    form = FORMATS[name]
    n = case.get("n", 1 if form.candidates == "one" else 2)
    reading = form.read(case["text"], n)
    assert reading.verdict == case.get("verdict")
    wanted = case.get("scores")
    assert reading.scores == (None if wanted is None else tuple(map(float, wanted)))
    if "problem" in case:
        assert case["problem"] in reading.problem
        assert reading.span is None
    else:
        assert reading.problem == ""
        assert reading.span is not None
        first, last = reading.span
        said = case["text"][first:last]
        # What is marked on the page reads the same by itself.
        alone = form.read(said, n)
        assert (alone.verdict, alone.scores) == (reading.verdict, reading.scores)


@pytest.mark.parametrize("name", list(FORMATS))
def test_prompt_shows_the_responses_in_order_and_ends_with_the_user(name: Any) -> None:
    form = FORMATS[name]
    responses = ("Paris it is.", "Bananas are.")[: 1 if form.candidates == "one" else 2]
    messages = form.messages(Asking("What is asked?", responses))
    assert messages[-1]["role"] == "user"
    last = messages[-1]["content"]
    places = [last.index(text) for text in ("What is asked?", *responses)]
    assert places == sorted(places)


@pytest.mark.parametrize("name", list(FORMATS))
def test_instruction_of_the_card_replaces_our_wording(name: Any) -> None:
    form = FORMATS[name]
    responses = ("one",) if form.candidates == "one" else ("one", "two")
    messages = form.messages(Asking("Q", responses, instruction="TRAINED WORDING"))
    text = "\n".join(message["content"] for message in messages)
    assert "TRAINED WORDING" in text
    ours = form.messages(Asking("Q", responses))
    assert ours[0]["content"].split("\n")[0] not in text


def test_worked_examples_favour_neither_letter() -> None:
    messages = FORMATS["rubric-pair"].messages(Asking("Q", ("one", "two")))
    shown = [m["content"] for m in messages if m["role"] == "assistant"]
    assert sorted(FORMATS["rubric-pair"].read(text, 2).verdict or "" for text in shown) == [
        "A",
        "B",
    ]


def test_rubric_of_the_card_is_in_the_question() -> None:
    for name in ("rubric-pair", "rubric-score"):
        messages = FORMATS[name].messages(Asking("Q", ("one", "two"), rubric="Only rhymes count."))
        assert "Only rhymes count." in messages[0]["content"]
