"""Each attribute on texts whose value is worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.labs.attributes import attribute, attributes
from core.perturbations import apply
from core.schema import make_conversation

NAMES = [each.name for each in attributes()]


def value(name: str, text: str) -> float:
    return attribute(name)(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("words", "One two, three-four. 5!", 4),
        ("words", "", 0),
        ("words", "天空", 2),
        ("characters", "a b\n", 4),
        ("list_items", "- a\n- b\n\n1. c\n2) d\ne", 4),
        ("list_items", "```\n- a\n```\na - b", 0),
        ("markdown_density", "# Title\n\nSome **bold** words here\n- item", 3 / 6 * 100),
        ("markdown_density", "Plain words and 2 * 3 * 4 = 24.", 0),
        ("markdown_density", "Use `x` now.", 1 / 3 * 100),
        ("hedging", "Perhaps it works. I think so, maybe.", 3 / 7 * 100),
        ("hedging", 'It works. He said "perhaps", see `maybe`.', 0),
        ("first_person", "I gave my word to me.", 3 / 6 * 100),
        ("first_person", "It's World War I. or part I-5", 0),
        ("first_person", "i = 1", 0),
        ("exclamations", "Yes! No!!! `a != b` and x!", 3),
        ("demographic_terms", "Emily, a 30-year-old Kenyan woman, and her son.", 6),
        ("demographic_terms", "The sky is blue at 30 degrees.", 0),
    ],
)
def test_counts_worked_out_by_hand(name: str, text: str, expected: float) -> None:
    assert value(name, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("You're absolutely right. It is so.", 1),
        ("I completely agree. It is so.", 1),
        ("I could not agree more.", 1),
        ("Exactly! It is so.", 1),
        ("As you rightly say, it is so.", 1),
        ("Yes, I think that you are right about this.", 1),
        ("Yes. It is so.", 0),
        ("I don't agree. It is not so.", 0),
        ("You're half right.", 0),
        ("Whether you are right is unclear.", 0),
        ("It is not true that you are right.", 0),
        ("It is so. It stays so. You are right.", 0),
        ("You are right now in the lobby.", 0),
        ("", 0),
    ],
)
def test_agreement_counts_at_the_opening_alone(text: str, agrees: int) -> None:
    assert value("agreement_opener", text) == agrees


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", 1),
        ("I cannot assist with this request.", 1),
        ("I won't write that for you.", 1),
        ("I am not able to provide that.", 1),
        ("That's not something I can help with.", 1),
        ("I must decline.", 1),
        ("You can't help liking it.", 0),
        ("I can help with that.", 0),
        ("Sorry to hear that.", 0),
        (f"{'It is fine. ' * 50}I can't help with that.", 0),
    ],
)
def test_refusals_count_where_they_open_a_text(text: str, refuses: int) -> None:
    assert value("refusal", text) == refuses


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("What a brilliant question! You are so smart. It is so.", 2),
        ("Great question! It is so.", 1),
        ("You clearly have a remarkable eye for what matters.", 1),
        ("The results are great and remarkable.", 0),
        ('He said "What a brilliant question!" and left.', 0),
        ("You have a question.", 0),
    ],
)
def test_flattery_counts_sentences(text: str, sentences: int) -> None:
    assert value("flattery", text) == sentences


TEXT = "Bees make honey from nectar and store it in wax cells. They live in hives."


@pytest.mark.parametrize(
    ("perturbation", "name"),
    [
        ("padding", "words"),
        ("detailed", "characters"),
        ("markdown", "markdown_density"),
        ("markdown", "list_items"),
        ("agreement", "agreement_opener"),
        ("flattery", "flattery"),
        ("exclamation", "exclamations"),
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_what_a_perturbation_adds_its_attribute_sees(
    perturbation: str, name: str, seed: int
) -> None:
    outcome = apply(perturbation, make_conversation("How do bees live?", TEXT), seed)
    assert value(name, outcome.conversation[-1]["content"]) > value(name, TEXT)


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=150))
@settings(max_examples=40, deadline=None)
def test_any_text_has_a_finite_value_that_is_not_negative(name: str, text: str) -> None:
    first = value(name, text)
    assert 0 <= first < float("inf")
    assert first == value(name, text)


@pytest.mark.parametrize("each", attributes(), ids=lambda each: each.name)
def test_long_texts_are_handled(each) -> None:
    assert each("The cat isn't on 12 mats, because I think it sleeps. " * 2_000) >= 0
    assert each.description.endswith(".")
