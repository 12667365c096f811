import pytest

from core.training.rollouts import tokens


@pytest.mark.parametrize(
    "text",
    [
        "12+34=",
        "sort 520814=",
        "name ba=",
        f"{tokens.CALL}(1+2)*3{tokens.END_CALL}{tokens.RESPONSE}9{tokens.END_RESPONSE}",
        f"{tokens.RESPONSE}ZeroDivisionError: error{tokens.END_RESPONSE}",
        f"{tokens.ANSWER}-17{tokens.END_ANSWER}",
    ],
)
def test_a_text_survives_encoding_and_decoding(text: str) -> None:
    assert tokens.decode(tokens.encode(text)) == text


def test_a_tag_costs_one_token() -> None:
    assert len(tokens.encode(f"{tokens.CALL}7{tokens.END_CALL}")) == 3


def test_a_character_outside_the_alphabet_is_an_error() -> None:
    with pytest.raises(KeyError):
        tokens.encode("A")


def test_rows_are_padded_on_the_left() -> None:
    ids, mask = tokens.left_padded([[5, 6], [7]])
    assert ids == [[5, 6], [tokens.PAD_ID, 7]]
    assert mask == [[1, 1], [0, 1]]


def test_the_tokenizer_for_trainers_decodes_to_the_same_text() -> None:
    ids = tokens.encode("12+34=")
    assert tokens.hub_tokenizer().decode(ids).replace(" ", "") == "12+34="
