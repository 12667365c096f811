"""A user's function becomes an attribute, and the table says where it has no value."""

import math
from collections.abc import Iterator

import pandas as pd
import pytest

from core.errors import AttributeDefinitionError
from core.labs.attributes import (
    Attribute,
    attribute,
    attribute_table,
    attributes,
    concept_attribute,
    extraction_problems,
    register_attribute,
    unregister_attribute,
)


def question_marks(text: str) -> float:
    """Number of question marks.

    And more.
    """
    return text.count("?")


@pytest.fixture
def registered() -> Iterator[Attribute]:
    yield register_attribute(question_marks)
    unregister_attribute("question_marks")


def test_a_plain_function_is_enough(registered: Attribute) -> None:
    assert attribute("question_marks") is registered
    assert attributes()[-1] is registered
    assert registered.title == "Question marks"
    assert registered.description == "Number of question marks."
    assert registered("a? b?") == 2.0
    assert attribute_table(["?"], ["question_marks"]).loc[0, "question_marks"] == 1.0


def test_a_name_is_taken_once_unless_replaced(registered: Attribute) -> None:
    assert register_attribute(question_marks) == registered
    with pytest.raises(AttributeDefinitionError, match="already an attribute"):
        register_attribute(len, name="question_marks")
    assert register_attribute(len, name="question_marks", replace=True)("abc") == 3.0


def test_a_nameless_function_needs_a_name() -> None:
    with pytest.raises(AttributeDefinitionError, match="will not do"):
        register_attribute(lambda text: len(text) - 1)
    with pytest.raises(AttributeDefinitionError, match="Did you mean 'words'"):
        attribute("word")


def test_the_table_keeps_order_and_index() -> None:
    texts = pd.Series(["a b", "c"], index=["x", "y"])
    table = attribute_table(texts, ["words", "characters"])
    assert table.to_dict("index") == {
        "x": {"words": 2.0, "characters": 3.0},
        "y": {"words": 1.0, "characters": 1.0},
    }
    assert list(attribute_table(["a"]).columns) == [each.name for each in attributes()]
    assert len(attribute_table([], ["words"])) == 0
    assert extraction_problems(table) == {}


def test_a_text_without_a_value_is_nan_and_counted() -> None:
    def fragile(text: str) -> float:
        if text == "nan":
            return math.nan
        return 1 / text.count("a")

    register_attribute(fragile)
    try:
        table = attribute_table(["a", "b", None, 5, "nan", "b"], ["fragile", "words"])
    finally:
        unregister_attribute("fragile")
    assert table["fragile"].isna().tolist() == [False, True, True, True, True, True]
    assert table["words"].isna().sum() == 2
    assert extraction_problems(table) == {
        "fragile": {
            "ZeroDivisionError: division by zero": 2,
            "no text": 2,
            "no finite number": 1,
        },
        "words": {"no text": 2},
    }


def test_concepts_are_whole_words_in_any_case() -> None:
    price = concept_attribute("price", ["price", "pric*ing", "cost*", "a  bargain"])
    assert price("The PRICE and its costs: a\nbargain. Accost, prices.") == 3.0
    assert price("") == 0.0
    assert concept_attribute("food", ["soup"], share=True)("Soup and bread, soup.") == 50.0
    assert "price" in price.description


@pytest.mark.parametrize(("name", "words"), [("food", []), ("food", [" ", "*"]), ("a b", ["x"])])
def test_a_concept_needs_a_name_and_a_word(name: str, words: list[str]) -> None:
    with pytest.raises(AttributeDefinitionError, match="needs a name"):
        concept_attribute(name, words)
