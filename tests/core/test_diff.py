"""Diffs rebuild both texts exactly, whatever they hold."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.diff import word_diff

words = st.lists(st.sampled_from(["a ", "b ", "🦊", "שלום ", "\n", "  ", "<b>"]), max_size=30)
texts = st.one_of(st.text(max_size=80), words.map("".join))


@given(old=texts, new=texts)
def test_both_texts_can_be_rebuilt(old: str, new: str) -> None:
    parts = word_diff(old, new)
    assert "".join(p.text for p in parts if p.op != "insert") == old
    assert "".join(p.text for p in parts if p.op != "delete") == new


def test_only_the_changed_word_is_marked() -> None:
    parts = word_diff("The fox is quick.", "The fox is slow.")
    assert [(p.op, p.text) for p in parts] == [
        ("equal", "The fox is "),
        ("delete", "quick"),
        ("insert", "slow"),
        ("equal", "."),
    ]


def test_a_change_of_white_space_is_seen() -> None:
    assert [p.op for p in word_diff("a b", "a  b")] == ["equal", "delete", "insert", "equal"]


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_long_texts_take_bounded_time(separator: str) -> None:
    old = separator.join(f"word{i % 97}" for i in range(20_000))
    new = old.replace("word13", "other", 40)
    started = time.monotonic()
    parts = word_diff(old, new)
    assert time.monotonic() - started < 5
    assert "".join(p.text for p in parts if p.op != "delete") == new
