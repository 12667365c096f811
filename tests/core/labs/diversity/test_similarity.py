"""What a table's rows are compared by: each method, and what it says of a table that lacks it."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.diversity import groups, pair_classifier
from core.labs.diversity.calibration import pair_similarities
from core.labs.diversity.classes import METHODS, has_texts
from core.labs.diversity.similarity import NO_TEXT, prepare

TEXTS = ["a red fox runs home", "the red fox runs home", "two blue ships at sea", "a red fox"]


def rollouts(**columns):
    table = pd.DataFrame(
        {
            "run": "own", "step": 0, "problem_id": "p", "prompt": "Tell me.",
            "sample": range(4), "response": TEXTS, "answer": ["1", "1", "2", None],
            "reward": [1.0, 1.0, 0.0, 0.0],
        }
    )  # fmt: skip
    return table.assign(**columns)


ALL = np.arange(4)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_similarity_with_ones_on_its_diagonal(method):
    table = rollouts(class_id=["x", "x", "y", "z"])
    found = prepare(table, method, vectors=np.eye(4)[[0, 0, 1, 2]]).of(ALL)
    assert found.shape == (4, 4)
    assert found == pytest.approx(found.T)
    assert np.diag(found) == pytest.approx(1)
    assert found[0, 1] > found[0, 2]


def test_classes_of_ones_own_classifier_are_taken_at_its_word():
    table = rollouts(class_id=["x", None, "y", None])
    prepared = prepare(table, "given")
    assert prepared.n_unreadable == 2
    result = groups.run(prepared)
    assert result.responses["class_id"].tolist() == [0, 1, 2, 1]
    assert result.responses["diversity"].tolist() == pytest.approx([1, 2 / 3, 1, 2 / 3])
    assert "2 responses have no readable class" in result.notes[0]


def test_the_classifier_reads_the_four_similarities_of_each_pair():
    found = prepare(rollouts(), "classifier").of(ALL)
    pairs = pair_similarities(TEXTS[:1] * 3, TEXTS[1:], corpus=TEXTS)
    weights = dict(zip(pair_classifier.INPUTS, pair_classifier.WEIGHTS, strict=True))
    total = pair_classifier.INTERCEPT + sum(w * pairs[name] for name, w in weights.items())
    assert found[0, 1:] == pytest.approx(1 / (1 + np.exp(-total)))


def test_a_classifier_of_ones_own_takes_its_place():
    found = prepare(rollouts(), "classifier", probability=lambda a, b: float(a[:2] == b[:2]))
    assert found.of(ALL)[0].tolist() == [1, 0, 0, 1]


def test_rows_without_text_are_left_out_and_counted():
    table = rollouts(response=[TEXTS[0], None, TEXTS[2], None])
    for method in ("tf-idf", "classifier", "jaccard"):
        prepared = prepare(table, method)
        assert len(prepared.table) == 2
        assert prepared.left_out == {NO_TEXT: 2}
    # Answers are there all the same.
    assert len(prepare(table, "exact").table) == 4


def test_a_table_that_lacks_what_a_method_reads_is_refused_with_a_way_out():
    bare = rollouts(response=None, answer=None)
    for method in METHODS:
        with pytest.raises(TableError, match="have no") as refused:
            prepare(bare, method)
        assert refused.value.fix
    assert [method for method in METHODS if not has_texts(method)] == ["exact", "given"]
