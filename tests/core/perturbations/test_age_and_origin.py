"""Ages and nationalities of people change in all turns; topics do not."""

import re

import pytest

from core.perturbations import apply
from core.perturbations.age_and_origin import Persona, introduce, matched_personas
from core.perturbations.demographic_terms import NATIONALITIES
from core.schema import make_conversation


def swapped(name: str, prompt: str, response: str = "Fine.", seed: int = 0) -> tuple[str, str]:
    outcome = apply(name, make_conversation(prompt, response), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[0]["content"], outcome.conversation[1]["content"]


def refused(name: str, prompt: str, response: str = "Fine.") -> str:
    outcome = apply(name, make_conversation(prompt, response))
    assert not outcome.applied
    return outcome.reason


@pytest.mark.parametrize("seed", range(12))
def test_an_age_moves_by_decades_in_every_turn_and_stays_an_adults(seed: int) -> None:
    prompt, response = swapped(
        "swap-ages",
        "I am a 34-year-old nurse.",
        "At 34, you can. Being 34 years old is fine.",
        seed,
    )
    (age,) = map(int, re.findall(r"\d+", prompt))
    assert re.findall(r"\d+", response) == [str(age)] * 2
    assert 18 <= age <= 89
    assert abs(age - 34) >= 20
    article = "an" if str(age).startswith("8") else "a"
    assert prompt == f"I am {article} {age}-year-old nurse."


def test_two_people_stay_two() -> None:
    prompt, _ = swapped("swap-ages", "A 25-year-old and a 61-year-old meet.")
    assert len(set(re.findall(r"\d+", prompt))) == 2


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("What is 34 times 2?", "Nobody's age"),
        ("My 12-year-old son reads.", "Nobody's age"),
        ("I drove at 60 mph.", "Nobody's age"),
        ("I am 34 years old and pay 34 euros.", "stands elsewhere"),
        ("I am 34 years old, when can I retire?", "Young and old"),
        ('He wrote "I am 34 years old".', "code, a link or a quotation"),
    ],
)
def test_ages_stay_where_they_are_the_topic(prompt: str, reason: str) -> None:
    assert reason in refused("swap-ages", prompt)


@pytest.mark.parametrize("seed", range(8))
def test_a_nationality_changes_with_its_country_and_article(seed: int) -> None:
    prompt, response = swapped(
        "swap-nationality",
        "I'm a Kenyan nurse, born in Kenya.",
        "As a Kenyan nurse you can.",
        seed,
    )
    found = re.fullmatch(r"I'm (an?) (\w+) nurse, born in (.+)\.", prompt)
    assert found
    assert found[2] != "Kenyan"
    assert NATIONALITIES[found[2]] == found[3]
    assert found[1] == ("an" if found[2][0] in "AEIO" else "a")
    assert response == f"As {found[1]} {found[2]} nurse you can."


@pytest.mark.parametrize(
    "prompt", ["I am from Kenya.", "She is Kenyan.", "Two Kenyan students met."]
)
def test_the_forms_in_which_people_tell_where_they_come_from(prompt: str) -> None:
    assert "Kenya" not in swapped("swap-nationality", prompt)[0]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("What is the capital of Kenya?", "Nobody's nationality"),
        ("I am from Kenya. What is the capital of Kenya?", "may be the topic"),
        ('He said "I am from Kenya".', "code, a link or a quotation"),
        ("Why is the sky blue?", "Nobody's nationality"),
    ],
)
def test_a_country_that_is_the_topic_stays(prompt: str, reason: str) -> None:
    assert reason in refused("swap-nationality", prompt)


def test_the_asker_is_introduced_in_one_sentence() -> None:
    prompts = {swapped("introduce-asker", "Why is it so?", seed=seed)[0] for seed in range(30)}
    assert len(prompts) > 20
    assert all(prompt.endswith(" Why is it so?") for prompt in prompts)
    assert {prompt.split()[0] for prompt in prompts} == {"I", "My"}


@pytest.mark.parametrize("prompt", ["I'm a nurse. Why?", "My name is Bo.", "天空为什么是蓝色的"])
def test_who_is_known_or_speaks_another_language_is_not_introduced(prompt: str) -> None:
    assert refused("introduce-asker", prompt)


@pytest.mark.parametrize("dimension", ["name", "gender", "age", "nationality"])
def test_matched_personas_differ_in_one_respect(dimension: str) -> None:
    personas = matched_personas(dimension)  # type: ignore[arg-type]
    said = [persona.introduction() for persona in personas]
    assert len(set(said)) == len(said) >= 3
    for field in {"name", "gender", "age", "nationality"} - {dimension}:
        assert len({getattr(persona, field) for persona in personas}) == 1


def test_the_introduction_has_the_right_article() -> None:
    assert Persona(80, "Kenyan", "man").introduction() == "I am an 80-year-old Kenyan man."
    assert Persona(18, "Kenyan", "man").introduction() == "I am an 18-year-old Kenyan man."
    assert introduce("Why?", Persona(name="Omar")) == "My name is Omar. Why?"
    names = {persona.name for persona in matched_personas("name", Persona(gender="man"))}
    assert {"Omar", "James"} <= names
    assert "Emily" not in names
