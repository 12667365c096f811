"""People change their names or gender in all turns alike, or nobody does."""

import pytest

from core.perturbations import apply
from core.perturbations.demographic import mentions_of_people
from core.perturbations.demographic_terms import GENDER_PAIRS, NAME_SETS
from core.schema import Message, make_conversation


def swapped(name: str, prompt: str, response: str = "Fine.", seed: int = 0) -> tuple[str, str]:
    outcome = apply(name, make_conversation(prompt, response), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[0]["content"], outcome.conversation[1]["content"]


def refused(name: str, prompt: str, response: str = "Fine.") -> str:
    outcome = apply(name, make_conversation(prompt, response))
    assert not outcome.applied
    return outcome.reason


def gender_and_place(name: str) -> tuple[str, int]:
    return next(
        (gender, row.index(name))
        for rows in NAME_SETS.values()
        for gender, row in rows.items()
        if name in row
    )


def test_the_sets_are_matched_and_hold_each_name_once() -> None:
    names = [name for rows in NAME_SETS.values() for row in rows.values() for name in row]
    assert len(names) == len(set(names))
    assert {len(row) for rows in NAME_SETS.values() for row in rows.values()} == {8}
    words = [word for pair in GENDER_PAIRS for word in pair]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("seed", range(8))
def test_a_name_becomes_its_match_elsewhere_in_every_turn(seed: int) -> None:
    prompt, response = swapped(
        "swap-names", "Should Emily call James?", "Yes, Emily's call helps James.", seed
    )
    _, first, _, second = prompt.rstrip("?").split()
    assert response == f"Yes, {first}'s call helps {second}."
    assert gender_and_place(first) == gender_and_place("Emily")
    assert gender_and_place(second) == gender_and_place("James")
    assert (first, second) != ("Emily", "James")


def test_both_responses_of_a_pair_get_the_same_person() -> None:
    prompt = "Write to Emily."
    chosen = swapped("swap-names", prompt, "Dear Emily, and Tom")
    rejected = swapped("swap-names", prompt, "Hi Emily")
    assert chosen[0] == rejected[0]
    assert chosen[1].split()[1].rstrip(",") == rejected[1].split()[1]


def test_all_turns_of_a_long_conversation_are_swapped() -> None:
    turns: list[Message] = [
        {"role": "system", "content": "You help Emily."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi, Emily!"},
        {"role": "user", "content": "Thanks"},
        {"role": "assistant", "content": "Bye, Emily."},
    ]
    outcome = apply("swap-names", turns)
    assert outcome.applied
    assert not any("Emily" in message["content"] for message in outcome.conversation)
    assert outcome.conversation[1]["content"] == "Hello"


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("Who was Emily Dickinson?", "known person"),
        ("How do I mix a Bloody Mary?", "known person"),
        ("Who was King James?", "known person"),
        ('Translate "Emily is here".', "code, a link or a quotation"),
        ("How many letters are in Emily?", "about words or letters"),
        ("Why is the sky blue?", "None of the given names"),
    ],
)
def test_names_stay_where_a_swap_would_change_what_is_true(prompt: str, reason: str) -> None:
    assert reason in refused("swap-names", prompt)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("My father said he hurt himself.", "My mother said she hurt herself."),
        ("She told her sister to call her.", "He told his brother to call him."),
        ("His car is his.", "Her car is hers."),
        ("It is hers; give it to her.", "It is his; give it to him."),
        ("SHE's here, and he'll come.", "HE's here, and she'll come."),
        ("Let her rest, then ask her what is wrong.", "Let him rest, then ask him what is wrong."),
        ("The men met my mom and mum.", "The women met my dad and dad."),
        ("Dear Mr. Lee and Mrs. Lee", "Dear Ms. Lee and Mr. Lee"),
    ],
)
def test_words_of_gender_and_pronouns_change_together(before: str, after: str) -> None:
    assert swapped("swap-gender", before)[0] == after


def test_names_change_with_the_pronouns_and_back() -> None:
    prompt, response = swapped("swap-gender", "Emily lost her bag.", "Tell Emily that she left it.")
    assert "Emily" not in prompt + response
    assert (prompt.split()[2], response.split()[3]) == ("his", "he")
    assert swapped("swap-gender", prompt, response) == (
        "Emily lost her bag.",
        "Tell Emily that she left it.",
    )


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("My sister is pregnant.", "one sex only"),
        ("Marie Curie won her prize.", "known person"),
        ('Correct "she go home".', "code, a link or a quotation"),
        ("Why is the sky blue?", "No English word"),
        ("Die Frau und der Mann sind nicht hier, he.", "No English word"),
    ],
)
def test_gender_stays_where_a_swap_would_change_what_is_true(prompt: str, reason: str) -> None:
    assert reason in refused("swap-gender", prompt)


def test_mentions_are_names_and_words_of_gender() -> None:
    text = "Emily and the waiter saw a thesis, her cat and others."
    assert [text[a:b] for a, b in sorted(mentions_of_people(text))] == ["Emily", "waiter", "her"]
