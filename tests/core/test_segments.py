"""Words and sentences tile any text, and break where a reader would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.segments import sentences, words

unicode_texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=200)
pieces = st.lists(
    st.sampled_from(["Dr. ", "3.5", ". ", "e.g. ", "\n- ", "```\n", "日本。", "שלום. ", "🦊"]),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("split", [words, sentences])
@given(text=st.one_of(unicode_texts, pieces))
def test_segments_tile_the_text(split: object, text: str) -> None:
    found = split(text)  # type: ignore[operator]
    assert "".join(segment.text(text) for segment in found) == text
    for segment in found:
        assert segment.start <= segment.core_start <= segment.core_end <= segment.end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.5 dollars. Then she left.", 2),
        ("See e.g. this one. And that.", 2),
        ("- first\n- second", 2),
        ("これは本です。とても良い。", 2),
    ],
)
def test_sentences_break_where_a_reader_would(text: str, expected: list[str] | int) -> None:
    found = [segment.core(text) for segment in sentences(text)]
    if isinstance(expected, int):
        assert len(found) == expected, found
    else:
        assert found == expected


def test_words_are_found_without_their_punctuation() -> None:
    text = "Well, it's 3.5 km!"
    assert [segment.core(text) for segment in words(text)] == ["Well", "it's", "3.5", "km"]
