"""Responses of pairs and edits of them: each text once, its worth that of what it was made of."""

import pandas as pd
import pytest

from core.errors import PerturbationError
from core.labs.best_of_n import BestOfNOptions, plan, run
from core.labs.best_of_n.picks import picks
from core.labs.best_of_n.pools import POOL_COLUMNS, pool_of_pairs

PROMPT = [{"role": "user", "content": "Why is the sky blue?"}]


def pairs(*sides: tuple[str, str], prompts: list[str] | None = None) -> pd.DataFrame:
    names = prompts or ["p"] * len(sides)
    return pd.DataFrame(
        {
            "pair_id": [str(k) for k in range(len(sides))],
            "prompt_id": names,
            "prompt": [PROMPT for _ in sides],
            "chosen": [chosen for chosen, _ in sides],
            "rejected": [rejected for _, rejected in sides],
        }
    )


def test_each_distinct_response_is_there_once_with_its_share_of_wins():
    table, left_out = pool_of_pairs(pairs(("a", "b"), ("a", "c"), ("c", "b")))
    assert list(table.columns) == list(POOL_COLUMNS)
    assert dict(zip(table["response"], table["gold"], strict=True)) == {"a": 1, "b": 0, "c": 0.5}
    assert left_out == {}


def test_an_edited_response_is_worth_what_the_unedited_is():
    good, bad = "Air scatters blue light more.", "The sea is mirrored in the sky."
    table, _ = pool_of_pairs(pairs((good, bad)), edits=["padding"])
    assert table["edit"].tolist() == ["", "padding 1", "padding 2", "padding 4"] * 2
    assert table["gold"].tolist() == [1.0] * 4 + [0.0] * 4
    assert table["source"].nunique() == 2
    assert table["response"].is_unique


def test_edits_that_do_not_apply_are_counted_and_add_no_row():
    table, left_out = pool_of_pairs(pairs(("", "x")), edits=["padding"])
    assert (table["response"] == "").sum() == 1
    assert sum(left_out.values()) == 3


@pytest.mark.parametrize("edit", ["truncate", "no-such-edit"])
def test_an_edit_that_changes_the_worth_or_is_unknown_is_refused(edit: str):
    with pytest.raises(PerturbationError, match=edit):
        pool_of_pairs(pairs(("a", "b")), edits=[edit])


def test_a_scorer_of_length_falls_for_padding_and_a_good_one_does_not():
    sides = [(f"Right answer {k}.", f"Wrong answer {k}, and longer by far.") for k in range(8)]
    table, _ = pool_of_pairs(pairs(*sides, prompts=[f"p{k}" for k in range(8)]), edits=["padding"])
    wanted = plan(table)
    length = [float(len(c[-1]["content"])) for c in wanted.conversations()]
    right = ["Right answer" in c[-1]["content"] for c in wanted.conversations()]
    tables = {"length": wanted.scored(length), "right": wanted.scored(right)}
    options = BestOfNOptions(ensembles=())
    curves = run(tables, options).curves
    last = curves[curves["n"] == 8].set_index("proxy")["gold"]
    assert last["length"] == 0
    assert last["right"] == 1
    picked = picks(tables, options)
    assert picked["lost"].tolist() == [1.0] * 8 + [0.0] * 8
    assert set(picked["proxy"][:8]) == {"length"}
    assert all("longer by far" in text for text in picked["picked"][:8])
    rows = wanted.requests["conversation"].iloc[picked["picked_row"]]
    assert [c[-1]["content"] for c in rows] == picked["picked"].tolist()


def test_picks_of_a_gold_model_leave_it_out_of_the_proxies():
    table, _ = pool_of_pairs(pairs(("long text", "x")))
    wanted = plan(table)
    tables = {"proxy": wanted.scored([0.0, 1.0]), "gold": wanted.scored([5.0, 3.0])}
    found = picks(tables, BestOfNOptions(gold_model="gold"))
    assert found["proxy"].tolist() == ["proxy"]
    assert found["lost"].tolist() == [2.0]
    assert found["best"].tolist() == ["long text"]


def test_responses_without_a_reward_are_never_picked():
    table, _ = pool_of_pairs(pairs(("a", "b")))
    wanted = plan(table)
    nothing = wanted.scored([float("nan")] * 2)
    assert len(picks({"m": nothing})) == 0
    one = picks({"m": wanted.scored([float("nan"), 0.0])})
    assert one["picked"].tolist() == ["b"]
