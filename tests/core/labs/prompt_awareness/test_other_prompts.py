"""Other prompts: each kind is what it says and differs from the own prompt."""

import numpy as np
import pandas as pd
import pytest

from core.labs.prompt_awareness.contradictions import contradictions
from core.labs.prompt_awareness.intake import prompt_key
from core.labs.prompt_awareness.other_prompts import (
    PromptPool,
    contradictory,
    empty,
    shuffled,
    typed,
)
from core.schema import Message

SYSTEM: Message = {"role": "system", "content": "Be kind."}


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def pool(*texts: str, topics: list[object] | None = None) -> PromptPool:
    table = pd.DataFrame(
        {"prompt_id": [f"p{at}" for at in range(len(texts))], "prompt": [user(t) for t in texts]}
    )
    if topics is None:
        return PromptPool(table)
    return PromptPool(table.assign(topic=topics), "topic")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_random_prompts_are_distinct_others() -> None:
    prompts = pool("a", "b", "c", "d", "b")  # the last repeats the second
    own = prompt_key(user("a"))
    for seed in range(20):
        found = list(prompts.random("p0", own, 3, generator(seed)))
        assert sorted(other.source for other in found) == ["p1", "p2", "p3"]
        assert all(other.prompt != user("a") for other in found)
    assert len(list(prompts.random("p0", own, 2, generator()))) == 2


def test_a_prompt_of_the_same_id_or_content_is_not_another() -> None:
    prompts = pool("a", "b")
    assert [o.source for o in prompts.random("p0", prompt_key(user("b")), 5, generator())] == []


def test_every_other_prompt_is_drawn_as_often() -> None:
    prompts = pool(*"abcde")
    own = prompt_key(user("a"))
    drawn = [next(prompts.random("p0", own, 1, generator(seed))).source for seed in range(2000)]
    counts = pd.Series(drawn).value_counts()
    assert set(counts.index) == {"p1", "p2", "p3", "p4"}
    assert counts.min() > 420  # 500 expected, standard deviation 19


def test_topic_column_decides_where_it_is_given() -> None:
    prompts = pool("a", "b", "c", "d", topics=["x", "x", "y", None])
    own = prompt_key(user("a"))
    assert [o.source for o in prompts.of_topic("p0", own, "x", 5, generator())] == ["p1"]
    assert list(prompts.of_topic("p2", prompt_key(user("c")), "y", 5, generator())) == []
    assert list(prompts.of_topic("p3", prompt_key(user("d")), None, 5, generator())) == []


def test_nearest_prompts_share_words_and_near_duplicates_are_passed_over() -> None:
    prompts = pool(
        "How do I bake sourdough bread at home?",
        "How do I bake sourdough bread at home??",
        "Which flour is best for baking bread?",
        "Explain the offside rule in football.",
        "Why does sourdough bread need a long rise?",
    )
    own = prompts.prompts[0]
    found = list(prompts.nearest("p0", prompt_key(own), prompts.texts[0], 2, 0.5))
    assert {other.source for other in found} == {"p2", "p4"}
    with_duplicate = list(prompts.nearest("p0", prompt_key(own), prompts.texts[0], 1, 1.01))
    assert [other.source for other in with_duplicate] == ["p1"]


def test_prompts_without_words_have_no_neighbours() -> None:
    prompts = pool("", " ")
    assert list(prompts.nearest("p0", prompt_key(user("")), "", 2, 0.9)) == []


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("Answer in one sentence: what is rain?", "at length"),
        ("In at most 25 words: why is the sky dark?", "at length"),
        ("Summarise this letter.", "at length"),
        ("Explain in detail how a lock works.", "one single word"),
        ("Give me a list of three fruits.", "not use any list"),
        ("Describe rain without bullets.", "list of ten bullet points"),
        ("Write Python code for a queue.", "not write any code"),
        ("What is rain?", "one single word"),
    ],
)
def test_instruction_is_the_opposite_of_what_is_asked(asked: str, first: str) -> None:
    assert first in contradictions(asked)[0]


def test_no_instruction_repeats_what_is_asked() -> None:
    assert not any("one single word" in i for i in contradictions("Briefly: what is rain?"))
    assert not any("at length" in i for i in contradictions("Tell me in detail about rain."))
    assert not any("bullet points" in i for i in contradictions("Give me a list of fruits."))
    assert not any("not use any list" in i for i in contradictions("No lists please. Why rain?"))
    assert contradictions(" ") == []


def test_contradiction_follows_the_users_words_and_keeps_the_rest() -> None:
    prompt = [SYSTEM, *user("Hi"), {"role": "assistant", "content": "Hello"}, *user("Why rain? ")]
    found = list(contradictory(prompt, 2))
    assert len(found) == 2
    for other in found:
        assert other.prompt[:3] == prompt[:3]
        assert other.prompt[3]["content"] == f"Why rain?\n\n{other.note}"
    assert list(contradictory([SYSTEM], 2)) == []


def test_empty_prompt_has_one_blank_turn_and_is_not_offered_for_an_empty_one() -> None:
    assert [other.prompt for other in empty([SYSTEM, *user("Hi")])] == [user("")]
    assert list(empty(user(" "))) == []


def test_shuffled_prompts_have_the_same_words_in_other_orders() -> None:
    prompt = [SYSTEM, *user("Why does it rain so much?")]
    words = ["Why", "does", "it", "rain", "so", "much?"]
    found = list(shuffled(prompt, 5, generator()))
    assert len({other.prompt[1]["content"] for other in found}) == 5
    for other in found:
        assert other.prompt[0] == SYSTEM
        assert sorted(other.prompt[1]["content"].split()) == sorted(words)
        assert other.prompt != prompt


def test_two_words_have_one_other_order_and_one_word_none() -> None:
    assert [o.prompt for o in shuffled(user("big rain"), 3, generator())] == [user("rain big")]
    assert list(shuffled(user("rain"), 3, generator())) == []
    assert list(shuffled(user("rain  rain"), 3, generator())) == []


def test_text_without_spaces_is_shuffled_by_its_words() -> None:
    (found,) = shuffled(user("今天下雨"), 1, generator())
    assert sorted(found.prompt[0]["content"]) == sorted("今天下雨")
    assert found.prompt != user("今天下雨")


def test_typed_words_replace_the_last_turn_and_typed_messages_all() -> None:
    prompt = [SYSTEM, *user("Why rain?")]
    whole = (user("Why snow?")[0],)
    found = [other.prompt for other in typed(prompt, ["Why wind?", whole, "Why rain?"])]
    assert found == [[SYSTEM, *user("Why wind?")], user("Why snow?")]
    assert [other.prompt for other in typed([SYSTEM], ["Why wind?"])] == [user("Why wind?")]
