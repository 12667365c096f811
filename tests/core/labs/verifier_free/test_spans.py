"""Only a part of each reference counts: by hand, and against cutting texts by brute force."""

import numpy as np
import pandas as pd
import pytest

from core.errors import SettingsError
from core.labs.verifier_free.aggregates import Span, aggregate
from core.labs.verifier_free.spans import NO_PIECES, NOT_THERE, Part, restrict, span_of
from core.labs.verifier_free.tables import read_scores

PIECES = [" the", " num", "ber", " four", "."]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(), Span()),
        (Part("first", 2), Span(end=3)),
        (Part("last", 2), Span(start=3)),
        (Part("last", 9), Span()),
        (Part("text", text="Number"), Span(1, 2)),
        (Part("text", text="umb"), Span(1, 2)),
        (Part("text", text="four"), Span(3, 1)),
        (Part("text", text="five"), None),
    ],
)
def test_parts_as_tokens(part: Part, expected: Span | None):
    assert span_of(part, 5, PIECES) == expected


def test_a_text_is_held_by_the_fewest_tokens_that_cover_it():
    rng = np.random.default_rng(0)
    for _ in range(200):
        pieces = ["".join(rng.choice(list("ab"), rng.integers(1, 4))) for _ in range(6)]
        whole = "".join(pieces)
        start = int(rng.integers(0, len(whole) - 2))
        text = whole[start : start + int(rng.integers(1, 5))]
        start = whole.index(text)  # the first place counts
        ends = np.cumsum([len(piece) for piece in pieces])
        begins = ends - [len(piece) for piece in pieces]
        held = [i for i in range(6) if begins[i] < start + len(text) and ends[i] > start]
        assert span_of(Part("text", text=text), 6, pieces) == Span(held[0], 5 - held[-1])


def test_all_lists_are_cut_alike_and_rows_without_the_text_are_counted():
    row = {
        "problem_id": "p",
        "pieces": PIECES,
        "ref_log_probabilities": [-1.0, -2.0, -3.0, -4.0, -5.0],
        "ref_log_probabilities_without": [-6.0, -7.0, -8.0, -9.0, -10.0],
    }
    other = row | {"pieces": [" a", " b", " c", " d", " e"]}
    bare = row | {"pieces": None}
    rows = [each | {"trace_id": name} for each, name in ((row, "a"), (other, "b"), (bare, "c"))]
    scores = read_scores(pd.DataFrame(rows))
    found = restrict(scores, Part("text", text="number four"))
    assert list(found.table["trace_id"]) == ["a"]
    assert list(found.table["ref_log_probabilities"][0]) == [-2, -3, -4]
    assert list(found.table["ref_log_probabilities_without"][0]) == [-7, -8, -9]
    assert found.table["pieces"][0] == [" num", "ber", " four"]
    assert found.table["ref_entropies"][0] is None
    assert found.left_out == {NOT_THERE: 1, NO_PIECES: 1}
    last = restrict(scores, Part("last", 2)).table
    assert len(last) == 3
    assert aggregate(last["ref_log_probabilities"][2], "product") == pytest.approx(np.exp(-9))
    assert restrict(scores, Part()) is scores


@pytest.mark.parametrize("given", [{"which": "last", "n": 0}, {"which": "text", "text": " "}])
def test_a_part_of_nothing_is_refused(given: dict):
    with pytest.raises(SettingsError):
        Part(**given)
