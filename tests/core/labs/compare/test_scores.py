"""The long table is read once, nothing is dropped unseen, and each model has its own ruler."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.compare import CompareError, CompareOptions, read_scores, stack_models
from core.labs.pairs import pair_rewards, plan_pairs
from tests.core.labs.compare.tables import long_table, random_table


def test_pairs_become_rows_and_models_columns_in_the_order_of_the_table():
    table = long_table({"b": [1.0, -2.0], "a": [3.0, 4.0]}, rejected=5.0, kind=["u", "v"])
    scores = read_scores(table)
    assert scores.models == ("b", "a")
    assert scores.margins.to_dict("list") == {"b": [1.0, -2.0], "a": [3.0, 4.0]}
    assert scores.chosen["b"].tolist() == [6.0, 3.0]
    assert scores.pairs.to_dict("list") == {
        "pair_id": ["x0", "x1"],
        "prompt_id": ["p0", "p1"],
        "kind": ["u", "v"],
    }


def test_rows_in_any_order_give_the_same_margins():
    table = random_table(20, ["a", "b", "c"])
    shuffled = table.sample(frac=1, random_state=1)
    first = read_scores(table)
    second = read_scores(shuffled, ["a", "b", "c"])
    order = second.pairs["pair_id"].map({pair: i for i, pair in enumerate(first.pairs["pair_id"])})
    assert np.array_equal(first.margins.to_numpy()[order], second.margins.to_numpy())


def test_pairs_without_a_margin_are_counted_by_the_first_models_reason():
    table = long_table({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0]})
    table.loc[0, ["error", "reward_chosen"]] = ["too long", np.nan]
    table.loc[4, "error"] = "timed out"  # the same pair fails under b too
    table.loc[5, "reward_rejected"] = np.nan
    table = table.drop(index=7)
    scores = read_scores(table)
    assert scores.usable(["a", "b"]).tolist() == [False, False, True, False]
    assert scores.left_out(["a"]) == {"too long": 1}
    assert scores.left_out(["b"]) == {"timed out": 1, "no margin": 1, "not scored": 1}
    assert scores.left_out(["a", "b"]) == {"too long": 1, "no margin": 1, "not scored": 1}


def test_a_row_with_an_error_has_no_margin_whatever_its_rewards():
    table = long_table({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    table.loc[1, "error"] = "truncated"
    scores = read_scores(table)
    assert np.isnan(scores.margins.loc[1, "a"])


def test_infinite_margins_keep_their_winner_and_their_difference_is_no_margin():
    table = long_table({"a": [1.0, 1.0], "b": [1.0, 1.0]})
    table.loc[0, "reward_chosen"] = np.inf
    table.loc[1, ["reward_chosen", "reward_rejected"]] = np.inf
    scores = read_scores(table)
    assert scores.credits("a")[0] == 1.0
    assert scores.left_out(["a"]) == {"no margin": 1}


def test_standardised_margins_do_not_depend_on_a_models_unit_or_on_offsets_of_prompts():
    table = random_table(40, ["a", "b"])
    moved = table.copy()
    offset = moved["prompt_id"].str[1:].astype(float) * 100
    for side in ("reward_chosen", "reward_rejected"):
        moved[side] = moved[side] * 3 + offset
    first = read_scores(table).standard_margins
    assert np.allclose(first, read_scores(moved).standard_margins)
    assert np.allclose((first**2).mean(), 1.0)


def test_a_model_without_margins_other_than_zero_has_no_ruler():
    scores = read_scores(long_table({"a": [0.0, 0.0], "b": [1.0, 2.0]}))
    assert scores.standard_margins["a"].isna().all()
    assert scores.usable(["a"]).all()


def test_repeated_pairs_are_all_used_and_said():
    table = long_table({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    scores = read_scores(pd.concat([table, table.iloc[[0, 2]]]))
    assert len(scores) == 3
    assert scores.margins["b"].tolist() == [3.0, 4.0, 3.0]
    assert "1 rows repeat" in scores.notes[0]


def test_the_difference_of_the_rewards_is_the_margin_and_another_column_is_told():
    table = long_table({"a": [1.0, 2.0], "b": [3.0, 4.0]}).assign(margin=[1.0, 2.0, -3.0, 4.0])
    scores = read_scores(table)
    assert scores.margins["b"].tolist() == [3.0, 4.0]
    assert scores.notes[0].startswith("In 1 rows")


def test_columns_that_differ_between_models_belong_to_no_pair():
    table = long_table({"a": [1.0, 2.0], "b": [3.0, 4.0]}, kind=["u", "v"])
    table["n_tokens"] = [5, 6, 7, 8]
    scores = read_scores(table)
    assert scores.varying == ("n_tokens",)
    assert "kind" in scores.pairs


def test_prompts_as_lists_of_messages_are_kept_for_the_reader():
    prompts = [[{"role": "user", "content": "hi"}], [{"role": "user", "content": "ho"}]]
    scores = read_scores(long_table({"a": [1.0, 2.0], "b": [3.0, 4.0]}, prompt=prompts))
    assert list(scores.pairs["prompt"]) == prompts


def test_labs_pair_rewards_stack_into_the_long_table():
    pairs = pd.DataFrame(
        {
            "pair_id": ["x", "y"],
            "prompt_id": ["p", "q"],
            "prompt": [[{"role": "user", "content": "hi"}]] * 2,
            "chosen": ["good", "fine"],
            "rejected": ["bad", "poor"],
        }
    )
    plan = plan_pairs(pairs)
    lengths = [float(len(c[-1]["content"])) for c in plan.conversations()]
    by_model = {
        "long": pair_rewards(pairs, plan.scored(lengths)),
        "short": pair_rewards(pairs, plan.scored([-n for n in lengths], ["", "", "failed", ""])),
    }
    scores = read_scores(stack_models(by_model))
    assert scores.margins["long"].tolist() == [1.0, 0.0]
    assert scores.left_out(["short"]) == {"failed": 1}


def test_damaged_tables_are_refused_with_what_to_do():
    table = long_table({"a": [1.0], "b": [2.0]})
    with pytest.raises(TableError, match="no column prompt_id"):
        read_scores(table.drop(columns="prompt_id"))
    with pytest.raises(TableError, match="not made of numbers"):
        read_scores(table.assign(reward_chosen=["1", "high"]))
    with pytest.raises(TableError, match="'x0' has a different prompt_id"):
        read_scores(table.assign(prompt_id=["p", "q"]))


def test_a_comparison_takes_two_to_eight_known_models():
    with pytest.raises(CompareError, match="here are 1"):
        read_scores(long_table({"a": [1.0]}))
    nine = long_table({f"m{i}": [1.0] for i in range(9)})
    with pytest.raises(CompareError, match="here are 9"):
        read_scores(nine)
    assert read_scores(nine, ["m3", "m1"]).models == ("m3", "m1")
    with pytest.raises(CompareError, match="no model 'z'"):
        read_scores(nine, ["m3", "z"])
    with pytest.raises(CompareError, match="no model 'z'"):
        read_scores(nine, ["m3", "m1"]).usable(["z"])


def test_an_empty_table_is_refused_as_having_no_models():
    with pytest.raises(CompareError, match="here are 0"):
        read_scores(long_table({"a": [], "b": []}))


@pytest.mark.parametrize(
    "bad",
    [
        {"confidence": 1.0},
        {"n_resamples": 0},
        {"n_bins": 0},
        {"n_folds": 1},
        {"noise_floors": {"a": -1.0}},
    ],
)
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(CompareError):
        CompareOptions(**bad)
