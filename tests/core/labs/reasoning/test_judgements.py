"""Tables of judgements: what is read, turned back, refused and counted."""

import json

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.reasoning.ballots import ballots_of
from core.labs.reasoning.judgements import SCALAR_REWARDS, check_judgements, verdict_of
from tests.core.labs.reasoning.made import made_items, made_judgements


def table(**columns):
    return pd.DataFrame(columns)


def test_a_table_of_ones_own_needs_little():
    read = check_judgements(
        table(uid=["x", "x", "y"], verdict=["A", "tie", "[[B]]"], gold=["A", "A", "model_b"])
    )
    assert read.table["verdict"].tolist() == ["A", "tie", "B"]
    assert read.table["sample"].tolist() == [0, 1, 0]
    assert read.table["order"].tolist() == ["AB"] * 3
    assert dict(zip(read.items["item_id"], read.items["best"], strict=True)) == {"x": "A", "y": "B"}
    assert "no column order" in read.notes[0]


def test_verdicts_and_scores_by_position_are_turned_back():
    read = check_judgements(
        table(
            item_id=["x"] * 2, order=["AB", "BA"], verdict=["A", "A"],
            scores=["[7, 5]", "7, 5"], best=["A", "A"],
        ),
        as_shown=True,
    )  # fmt: skip
    assert read.table["verdict"].tolist() == ["A", "B"]
    assert read.table["scores"].tolist() == [(7, 5), (5, 7)]


def test_scores_alone_give_the_verdict():
    read = check_judgements(table(item_id=["x", "x"], scores=[[1, 9, 3], [4, 4, 1]], best="B"))
    assert read.table["verdict"].tolist() == ["B", "tie"]
    assert read.items["n_candidates"].tolist() == [3]
    assert verdict_of([1, float("nan")]) is None


def test_what_cannot_be_read_is_kept_and_counted_and_what_is_wrong_is_told():
    read = check_judgements(
        table(
            item_id=["x", "x", "x", None], verdict=["C", None, "A", "A"],
            order=["AB", "AB", "AA", "AB"], best="A",
        )
    )  # fmt: skip
    assert len(read.table) == 2
    assert read.n_unread == 2
    assert (read.table["problem"] != "").all()
    assert read.left_out == {
        "column order: expected the letters of the candidates": 1,
        "column item_id: no item": 1,
    }
    assert str(read.problems[0]).startswith("row 1, column verdict: expected")


def test_the_same_sample_again_is_left_out():
    read = check_judgements(
        table(item_id=["x"] * 3, sample=[0, 0, 1], verdict=["A", "B", "B"], best="A")
    )
    assert read.table["verdict"].tolist() == ["A", "B"]
    assert read.left_out == {"the same sample of an item and order again": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"verdict": ["A"]}, "no column item_id"),
        ({"item_id": ["x"]}, "neither a column verdict nor a column scores"),
        ({"item_id": [None], "verdict": ["A"]}, "No row"),
        ({"item_id": [], "verdict": []}, "it has no rows"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(columns, message):
    with pytest.raises(TableError, match=message):
        check_judgements(table(**columns))


def test_items_from_their_own_table_with_scalar_rewards():
    items = made_items(2)
    items[SCALAR_REWARDS] = [json.dumps([0.5, 1.0]), [1.0]]
    read = check_judgements(
        table(item_id=["item-0", "item-1", "item-1"], verdict=["A", "B", "A"]), items
    )
    assert read.items[SCALAR_REWARDS].tolist() == [[0.5, 1.0], None]
    assert read.items["responses"].iloc[0] == ["Answer A to 0.", "Answer B to 0."]


def test_items_without_a_winner_are_told_and_count_in_no_accuracy():
    read = check_judgements(table(item_id=["x", "y"], verdict=["A", "B"], best=["A", None]))
    assert "1 of 2 items have no known winner" in read.notes[-1]
    ballots = ballots_of(read)
    assert ballots.ids == ["x"]
    assert ballots.left_out == {"items without a known winner": 1}
    with pytest.raises(TableError, match="nothing to vote on"):
        ballots_of(check_judgements(table(item_id=["x"], verdict=["A"])))


def test_votes_by_handling_of_the_orders():
    read = check_judgements(
        table(
            item_id=["x"] * 6, order=["AB", "AB", "AB", "BA", "BA", "BA"], sample=[0, 1, 2] * 2,
            verdict=["A", "A", None, "A", "B", "B"], best="A", n_tokens=[10, 10, 10, 20, 20, 20],
        )
    )  # fmt: skip
    assert ballots_of(read).items[0].counts.tolist() == [3, 2, 1]
    assert ballots_of(read, handling="own").items[0].counts.tolist() == [2, 0, 1]
    agreed = ballots_of(read, handling="agree").items[0]
    assert agreed.votes.tolist() == [0, -1, -1]
    assert agreed.ties.tolist() == [False, True, False]
    assert agreed.tokens.tolist() == [30, 30, 30]


def test_lone_scores_of_the_responses_are_joined_by_sample():
    read = check_judgements(
        table(
            item_id=["x"] * 4, order=["A", "B", "A", "B"], sample=[0, 0, 1, 1],
            scores=[[7], [5], [4], [4]], best="A", n_tokens=[3, 4, 5, 6],
        )
    )  # fmt: skip
    found = ballots_of(read).items[0]
    assert found.scores.tolist() == [[7, 5], [4, 4]]
    assert found.votes.tolist() == [0, -1]
    assert found.ties.tolist() == [False, True]
    assert found.tokens.tolist() == [7, 11]


def test_items_with_too_few_votes_are_left_out_of_every_k():
    read = made_judgements(30, 4)
    short = read.table.drop(read.table.index[:5])
    ballots = ballots_of(check_judgements(short, read.items))
    assert ballots.k_max == 8
    assert len(ballots) == 29
    assert ballots.left_out == {"items with fewer than 8 votes": 1}
    assert ballots.of_subset("maths").ids == [f"item-{at}" for at in range(1, 30, 2)]


def test_one_judge_or_temperature_of_several():
    read = check_judgements(
        table(
            item_id=["x", "y", "x"], judge=["a", "a", "b"], verdict=["A", "B", "A"],
            temperature=[0.2, 1.0, np.nan], best="A",
        )
    )  # fmt: skip
    assert read.judges == ("a", "b")
    assert read.temperatures == (0.2, 1.0)
    assert read.at(judge="b").items["item_id"].tolist() == ["x"]
    assert len(read.at(judge="a", temperature=1.0).table) == 1


def test_an_interrupted_recording_keeps_most_judgements():
    rows = [{"item_id": f"long-{at}", "verdict": "A", "best": "A"} for at in range(6)] * 4
    rows += [{"item_id": f"short-{at}", "verdict": "B", "best": "A"} for at in range(4)]
    ballots = ballots_of(check_judgements(pd.DataFrame(rows)))
    assert (ballots.k_max, len(ballots)) == (4, 6)
    assert ballots.left_out == {"items with fewer than 4 votes": 4}
    few = [row for row in rows if row["item_id"] in ("long-0", "long-1")]
    few += [{"item_id": f"short-{at}", "verdict": "B", "best": "A"} for at in range(20)]
    assert ballots_of(check_judgements(pd.DataFrame(few))).k_max == 1


def test_lists_of_scores_out_of_parquet_are_arrays_and_read_as_lists():
    table = pd.DataFrame(
        {"item_id": ["x"], "order": ["BA"], "scores": [np.array([3.0, 7.0])], "verdict": [None]}
    )
    (row,) = check_judgements(table).table.to_dict("records")
    assert row["scores"] == (3.0, 7.0)
    assert row["verdict"] == "B"
