"""Edits of the manner keep every word of the content."""

import re

import pytest

from core.perturbations import apply
from core.schema import make_conversation

TEXT = "Bees make honey from nectar. They store it in wax cells."
GERMAN = "Die Bienen machen den Honig aus dem Nektar und lagern ihn in den Waben."


def edited(name: str, text: str = TEXT, *, dose: int | None = None, prompt: str = "Bees?") -> str:
    outcome = apply(name, make_conversation(prompt, text), dose=dose)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


@pytest.mark.parametrize("dose", [1, 2, 4])
def test_padding_adds_as_many_sentences_as_the_dose(dose: int) -> None:
    after = edited("padding", dose=dose)
    assert after.startswith(f"{TEXT} ")
    assert len(re.findall(r"\.", after)) == 2 + dose
    assert len(set(re.split(r"(?<=\.) ", after))) == 2 + dose


@pytest.mark.parametrize("name", ["padding", "flattery"])
def test_a_larger_dose_contains_the_smaller_one(name: str) -> None:
    added = [edited(name, dose=dose).replace(TEXT, "").strip() for dose in (1, 2, 4)]
    assert added[2].startswith(added[1])
    assert added[1].startswith(added[0])


def test_flattery_stands_in_front() -> None:
    assert edited("flattery").endswith(f" {TEXT}")
    assert edited("flattery", "- a\n- b").endswith("\n\n- a\n- b")


@pytest.mark.parametrize("text", ["```\ncode()\n```", "- a\n- b", "| a |", "Paris"])
def test_after_a_block_the_addition_is_a_paragraph(text: str) -> None:
    assert edited("padding", text).startswith(f"{text}\n\n")


@pytest.mark.parametrize("name", ["padding", "flattery", "confident-tone"])
@pytest.mark.parametrize("text", [GERMAN, "天空是蓝色的。", "السماء زرقاء."])
def test_english_is_not_added_to_other_languages(name: str, text: str) -> None:
    outcome = apply(name, make_conversation("Bees?", text))
    assert (outcome.applied, "English" in outcome.reason) == (False, True)


@pytest.mark.parametrize(
    ("hedged", "plain"),
    [
        ("I think it is Paris.", "It is Paris."),
        ("It is probably in Paris.", "It is in Paris."),
        ("Perhaps, they left.", "They left."),
        ("Maybe I believe that they left.", "They left."),
        ("In my opinion, it works.", "It works."),
        ("What I think is right.", "What I think is right."),
        ("It is most probably so.", "It is most probably so."),
        ("Say `perhaps x` now.", "Say `perhaps x` now."),
    ],
)
def test_hedges_are_taken_out_and_an_assurance_is_added(hedged: str, plain: str) -> None:
    after = edited("confident-tone", hedged)
    assert after.startswith(f"{plain} ")
    assert len(after) > len(plain) + 10


def test_markdown_changes_no_word() -> None:
    text = f"{TEXT} Look:\n\n```\nrun it\n```\n\nThen wait, e.g. two hours."
    after = edited("markdown", text)
    assert after != text
    assert re.sub(r"^- |\*\*", "", after, flags=re.MULTILINE).split() == text.split()
    assert "```\nrun it\n```" in after
    assert "cells.\n\nLook:\n\n```" in after


def test_markdown_makes_a_bullet_a_sentence_and_bold_words() -> None:
    assert edited("markdown") == (
        "- Bees make honey from **nectar**.\n- They **store** it in wax cells."
    )
    assert edited("markdown", "Bees make honey.") == "Bees make **honey**."


@pytest.mark.parametrize("text", ["# T\ntext", "- a\n- b", "so **bold**", "1. a", "It is so."])
def test_marked_up_text_is_not_marked_up_again(text: str) -> None:
    assert not apply("markdown", make_conversation("Bees?", text)).applied


def test_keywords_are_the_topic_words_of_the_prompt() -> None:
    after = edited("keyword-stuffing", prompt="How do honey bees store nectar in the hive?")
    text, _, listed = after.partition("\n\nKeywords: ")
    assert text == TEXT
    assert sorted(listed.split(", ")) == ["bees", "hive", "honey", "nectar", "store"]
    assert not apply("keyword-stuffing", make_conversation("Why is it so?", TEXT)).applied
