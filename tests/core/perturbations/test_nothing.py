"""Edits that should change nothing break no code, no link and no list."""

import re

import pytest

from core.perturbations import apply
from core.perturbations.nothing import REAL_WORDS
from core.schema import make_conversation

CODE = "```python\nfor item in list_of_items:\n    print(item,  end='')\n```"
URL = "https://example.com/some/long-path?with=query"


def edited(name: str, text: str, seed: int = 0, prompt: str = "Tell me.") -> str:
    outcome = apply(name, make_conversation(prompt, text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def refused(name: str, text: str, prompt: str = "Tell me.") -> str:
    outcome = apply(name, make_conversation(prompt, text))
    assert not outcome.applied
    return outcome.reason


@pytest.mark.parametrize("name", ["double-spaces", "typos", "paraphrase"])
@pytest.mark.parametrize("seed", range(5))
def test_code_and_links_stay_as_they_are(name: str, seed: int) -> None:
    text = f"Don't forget to read this whole part first.\n\n{CODE}\n\nAfterwards open {URL} again."
    after = edited(name, text, seed)
    assert CODE in after
    assert URL in after


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("double-spaces", "word"),
        ("double-spaces", CODE),
        ("double-spaces", "- a\n- b\n1. c\n# d"),
        ("typos", "It is 42 or so."),
        ("typos", CODE),
        ("typos", "NASA, DVDs and don't-do-it's"),
        ("typos", "日本語です"),
        ("reorder-items", "No list."),
        ("reorder-items", "- only one"),
        ("reorder-items", "- same\n- same"),
        ("reorder-items", "1. one\n2. two\n3. three"),
        ("reorder-items", "- First, wash.\n- Then, dry."),
        ("reorder-items", "In alphabetical order:\n- ant\n- bee"),
        ("reorder-items", "- tip = 5\n- total: 20 + 5 = 25\n- b"),
        ("reorder-items", "```\n- a\n- b\n```"),
    ],
)
def test_where_there_is_nothing_to_do_it_says_so(name: str, text: str) -> None:
    assert refused(name, text).endswith(".")


def test_one_gap_in_ten_is_doubled() -> None:
    text = " ".join(["word"] * 41)
    after = edited("double-spaces", text)
    assert after.count("  ") == 4
    assert after.replace("  ", " ") == text


def test_typos_keep_first_and_last_letters_and_stay_within_a_slip() -> None:
    text = " ".join(["remarkable", "sentences", "describe", "ordinary", "mornings"] * 12)
    before, after = text.split(), edited("typos", text).split()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 60 // 15
    for word, typo in changed:
        assert (word[0], word[-1]) == (typo[0], typo[-1])
        assert abs(len(word) - len(typo)) <= 1
        assert typo not in REAL_WORDS


@pytest.mark.parametrize("word", ["from", "trial", "quiet", "later", "lose"])
def test_a_typo_makes_no_other_word(word: str) -> None:
    known = {"form", "trail", "quite", "latter", "loose"}
    outcomes = [apply("typos", make_conversation("?", word), seed) for seed in range(40)]
    results = {outcome.conversation[-1]["content"] for outcome in outcomes if outcome.applied}
    assert results
    assert not results & known


def test_items_move_with_what_is_nested_in_them() -> None:
    text = "Buy:\n- fruit\n  - apples\n  - pears\n- bread;\n  ```\n- no item\n  ```\n\nBye."
    assert edited("reorder-items", text) == (
        "Buy:\n- bread;\n  ```\n- no item\n  ```\n- fruit\n  - apples\n  - pears\n\nBye."
    )


def test_what_ends_an_item_keeps_its_place() -> None:
    after = edited("reorder-items", "We need\n- salt,\n- oil, and\n- rice.\nThanks.")
    assert re.fullmatch(r"We need\n- \w+,\n- \w+, and\n- \w+\.\nThanks\.", after)
    assert sorted(re.findall(r"- (\w+)", after)) == ["oil", "rice", "salt"]


def test_a_prompt_that_asks_for_an_order_is_respected() -> None:
    assert "order" in refused("reorder-items", "- ant\n- bee", "Rank these from best to worst.")
