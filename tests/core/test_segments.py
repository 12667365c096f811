"""Words and sentences tile any text, and break where a reader would."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.segments import item_content, sentences, tokens, words

unicode_texts = st.text(alphabet=st.characters(), max_size=200)
PIECES = (
    *("Dr. ", "3.5", ". ", "e.g. ", "\n- ", "```\n", "日本。", "שלום. ", "🦊", "\r\n", "\n\n"),
    *("1. ", "# ", "| a |\n", "`x. Y`", "\u200d", "\u0301", "🇫🇷", "?! ", "\u2028", "(«"),
)
pieces = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def sentence_texts(text: str) -> list[str]:
    return [segment.core(text) for segment in sentences(text)]


def word_texts(text: str) -> list[str]:
    return [segment.core(text) for segment in words(text)]


@pytest.mark.parametrize("split", [words, sentences])
@given(text=st.one_of(unicode_texts, pieces))
def test_segments_tile_the_text(split: object, text: str) -> None:
    found = split(text)  # type: ignore[operator]
    assert "".join(segment.text(text) for segment in found) == text
    for segment in found:
        assert segment.start < segment.end
        assert segment.start <= segment.core_start <= segment.core_end <= segment.end
        assert bool(segment.core(text)) == bool(segment.text(text).strip())


@given(text=st.one_of(unicode_texts, pieces))
def test_tokens_tile_the_text(text: str) -> None:
    assert "".join(text[start:end] for _, start, end in tokens(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "Dr. Smith paid 3.5 dollars. Then she left.",
            ["Dr. Smith paid 3.5 dollars.", "Then she left."],
        ),
        ("See e.g. this one. And that.", ["See e.g. this one.", "And that."]),
        ("He left at 5 p.m. The rest stayed.", ["He left at 5 p.m.", "The rest stayed."]),
        ("The U.S. Army came. It won.", ["The U.S. Army came.", "It won."]),
        ("J. R. R. Tolkien wrote. No. 5 is alive.", ["J. R. R. Tolkien wrote.", "No. 5 is alive."]),
        ("No. That is wrong.", ["No.", "That is wrong."]),
        ('"Really?" he asked. "Yes." She left.', ['"Really?" he asked.', '"Yes."', "She left."]),
        ("Well... maybe. Wait… Now.", ["Well... maybe.", "Wait…", "Now."]),
        ("what now? i see. it works", ["what now?", "i see.", "it works"]),
        ("In 2019. 45 came.", ["In 2019.", "45 came."]),
        ("So: 1. Mix. 2. Bake.", ["So: 1. Mix.", "2. Bake."]),
        (
            "Use `a. B` and https://x.org/a. Then go.",
            ["Use `a. B` and https://x.org/a.", "Then go."],
        ),
        ("これは本です。とても良い！はい", ["これは本です。", "とても良い！", "はい"]),
        ("ما هذا؟ هذا كتاب. شكرا", ["ما هذا؟", "هذا كتاب.", "شكرا"]),
        ("यह किताब है। अच्छा।", ["यह किताब है।", "अच्छा।"]),
    ],
)
def test_sentences_break_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert sentence_texts(text) == expected


def test_blocks_are_kept_apart_and_named() -> None:
    text = (
        "# Title\n\nSome prose. More\n\n- first. Still first\n- second\n\n"
        "```python\na = 1. b\n\nc\n```\n| x | y |\n1. numbered\n"
    )
    assert [(segment.kind, segment.core(text)) for segment in sentences(text)] == [
        ("heading", "# Title"),
        ("prose", "Some prose."),
        ("prose", "More"),
        ("item", "- first."),
        ("item", "Still first"),
        ("item", "- second"),
        ("code", "```python\na = 1. b\n\nc\n```"),
        ("table", "| x | y |"),
        ("item", "1. numbered"),
    ]


def test_a_paragraph_wrapped_by_hand_is_not_cut_at_its_line_ends() -> None:
    wrapped = (
        "The committee met on Tuesday to discuss whether the\nbridge should be closed. It was."
    )
    assert sentence_texts(wrapped) == [
        "The committee met on Tuesday to discuss whether the\nbridge should be closed.",
        "It was.",
    ]
    assert sentence_texts("A frog leaps\ninto the pond") == ["A frog leaps", "into the pond"]


def test_white_space_belongs_to_the_segment_before_it() -> None:
    text = "  One.  Two. \n\n  - three \n"
    split = [segment.text(text) for segment in sentences(text)]
    assert split == ["  One.  ", "Two. \n\n", "  - three \n"]
    split = [segment.text(text) for segment in words(text)]
    assert split == ["  One.  ", "Two. \n\n  ", "- ", "three \n"]


def test_an_items_own_words_begin_after_its_marker() -> None:
    text = "- one. Two\n12) three"
    contents = [text[item_content(text, s) : s.core_end] for s in sentences(text)]
    assert contents == ["one.", "Two", "three"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well, it's 3.5 km!", ["Well", "it's", "3.5", "km"]),
        ("a well-known (old) “word”", ["a", "well-known", "old", "word"]),
        ("f(x) costs $1,200.50 at 8:30", ["f", "x", "costs", "1,200.50", "at", "8:30"]),
        ("wait — what 👩‍👩‍👧🇫🇷?!", ["wait", "—", "what", "👩‍👩‍👧", "🇫🇷"]),
        ("日本カメラの本", ["日", "本", "カメラ", "の", "本"]),
        ("- **bold** item", ["-", "bold", "item"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("cafe\u0301 U.S.", ["cafe\u0301", "U.S"]),
    ],
)
def test_words_are_found_without_their_punctuation(text: str, expected: list[str]) -> None:
    assert word_texts(text) == expected


def test_the_empty_text_has_no_segments_and_space_alone_has_one() -> None:
    assert words("") == sentences("") == []
    assert [s.core(" \n ") for s in (*words(" \n "), *sentences(" \n "))] == ["", ""]


@pytest.mark.parametrize(
    "piece", [".", ". ", "1. ", "!'", "。", "a.a.", " ", "\n", "🇫", "a\u200d", "| "]
)
def test_a_hundred_thousand_characters_take_bounded_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.monotonic()
    words(text)
    sentences(text)
    assert time.monotonic() - started < 8
