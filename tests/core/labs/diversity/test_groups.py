"""DARLING over tables: values by hand, each trap set off on purpose, damaged rows counted."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.diversity import groups
from core.labs.diversity.groups import Options, best_changed, reversed_share
from core.labs.diversity.similarity import prepare
from core.schema import ROLLOUT_COLUMNS


def rollouts(answers, rewards, problem="p1", step=0, texts=None):
    n = len(answers)
    table = pd.DataFrame(
        {
            "run": "plain/seed-0",
            "step": step,
            "problem_id": problem,
            "prompt": "What is it?",
            "sample": range(n),
            "response": texts or [f"It is {answer}." for answer in answers],
            "answer": answers,
            "correct": pd.array([r > 0 for r in rewards], dtype="boolean"),
            "reward": np.array(rewards, dtype=float),
        }
    )
    return table[list(ROLLOUT_COLUMNS)]


def exact(*tables):
    return prepare(pd.concat(tables, ignore_index=True), "exact")


def test_the_papers_example_end_to_end():
    result = groups.run(exact(rollouts(["A", "A", "B", "C"], [1, 1, 1, 0])))
    responses = result.responses
    assert responses["reward"].tolist() == pytest.approx([2 / 3, 2 / 3, 1, 0])
    assert responses["advantage"].tolist() == pytest.approx([1 / 12, 1 / 12, 5 / 12, -7 / 12])
    assert responses["quality_rank"].tolist() == [2, 2, 2, 4]
    assert responses["rank"].tolist() == [2.5, 2.5, 1, 4]
    assert responses["rank_change"].tolist() == [-0.5, -0.5, 1, 0]
    group = result.groups.iloc[0]
    assert (group["n"], group["n_classes"]) == (4, 3)
    assert not any(result.traps.values())
    assert result.estimates["classes in a group"].value == 3


def test_groups_are_kept_apart_by_step_and_problem():
    same = ["A", "A"]
    result = groups.run(
        exact(
            rollouts(same, [1, 1]),
            rollouts(["A", "B"], [1, 1], step=1),
            rollouts(same, [1, 1], "p2"),
        )
    )
    assert result.groups["n_classes"].tolist() == [1, 2, 1]
    assert result.estimates["classes in a group"].n_prompts == 2
    assert result.estimates["classes in a group"].n == 3


def test_negative_quality_sets_off_novelty_punished_until_shifted():
    # Two say A (Div 1/2), one says B (Div 1): -2 x 1 is the worst of the three.
    table = exact(rollouts(["A", "A", "B"], [-2, -2, -2]))
    result = groups.run(table)
    assert result.traps["novelty punished"] == 1
    assert result.responses["rank"].tolist() == [1.5, 1.5, 3]
    shifted = groups.run(table, Options(shift="minimum"))
    assert shifted.traps["novelty punished"] == 0
    assert shifted.responses["reward"].tolist() == [0, 0, 0]


def test_equal_qualities_become_a_reward_for_novelty_alone():
    alone = exact(rollouts(["A", "A", "B"], [1, 1, 1]), rollouts(["A", "A", "B"], [0, 0, 0], "p2"))
    result = groups.run(alone)
    # Where all are worth nothing, novelty is worth nothing: only the first group is in the trap.
    assert result.groups["pure novelty"].tolist() == [True, False]
    assert result.traps["pure novelty"] == 1


def test_a_chain_is_found_and_counted():
    vectors = [[1, 0], [np.cos(0.8), np.sin(0.8)], [np.cos(1.6), np.sin(1.6)]]
    table = rollouts(
        [None] * 3, [1, 1, 0], texts=[f"a long text with number {i} in it" for i in range(3)]
    )
    similarity = prepare(table, "embedding", vectors=vectors)
    linked = groups.run(similarity, Options(threshold=0.6))
    assert linked.traps["chained class"] == 1
    assert linked.traps["merged by chaining"] == 1
    assert linked.responses["diversity"].tolist() == [0, 0, 0]
    compared = groups.run(similarity, Options(threshold=0.6, linking="greedy"))
    assert compared.traps["chained class"] == 0
    assert compared.responses["diversity"].tolist() == [0.5, 0.5, 1]


def test_dividing_by_the_spread_blows_up_a_homogeneous_group():
    wide = [rollouts(["A", "A", "B"], [0, 1, 1], f"p{i}") for i in range(3)]
    narrow = rollouts(["A", "A", "A"], [0.50, 0.51, 0.52], "q")
    plain = groups.run(exact(*wide, narrow))
    assert plain.traps["blown up"] == 0
    divided = groups.run(exact(*wide, narrow), Options(scale="population"))
    assert divided.groups["blown up"].tolist() == [False, False, False, True]


def test_rows_that_cannot_be_used_are_counted():
    table = pd.concat(
        [
            rollouts(["A", "B", "B"], [1, np.nan, np.inf]),
            rollouts(["A", None, "B"], [1, 0, 1], "p2"),
        ],
        ignore_index=True,
    )
    result = groups.run(prepare(table, "exact"))
    assert result.left_out == {
        groups.NO_REWARD: 1, groups.INFINITE: 1, groups.GROUP_OF_ONE: 1,
    }  # fmt: skip
    assert result.groups["problem_id"].tolist() == ["p2"]
    assert "1 responses have no readable answer" in result.notes[0]


def test_an_empty_table_and_one_without_rewards_give_empty_results():
    empty = groups.run(exact(rollouts(["A", "B"], [np.nan, np.nan])))
    assert len(empty.groups) == 0
    assert empty.estimates == {}
    assert empty.left_out[groups.NO_REWARD] == 2


def test_texts_are_needed_where_texts_are_compared():
    table = rollouts(["A", "B"], [1, 1]).assign(response=None)
    with pytest.raises(TableError, match="no texts"):
        prepare(table, "tf-idf")
    with pytest.raises(TableError, match="no answers"):
        prepare(table.assign(answer=None), "exact")
    with pytest.raises(TableError, match="one embedding"):
        prepare(rollouts(["A", "B"], [1, 1]), "embedding", vectors=[[1.0]])


def test_rows_without_text_are_left_out_and_their_embedding_with_them():
    table = rollouts(["A", "B", "C"], [1, 1, 1])
    table.loc[1, "response"] = None
    similarity = prepare(table, "embedding", vectors=[[1, 0], [9, 9], [0, 1]])
    assert similarity.left_out == {"no text": 1}
    assert similarity.of(np.array([0, 1])).tolist() == [[1, 0], [0, 1]]


def test_right_responses_only():
    table = exact(rollouts(["A", "B", "B", "C"], [1, 1, 0, 0]))
    result = groups.run(table, Options(correct_only=True))
    assert result.responses["diversity"].tolist() == pytest.approx([1, 1, 0.1, 0.1])


def test_reversed_pairs_by_enumeration():
    rng = np.random.default_rng(0)
    for _ in range(50):
        quality, reward = rng.integers(3, size=(2, 5)).astype(float)
        turned = []
        for i in range(5):
            for j in range(5):
                if quality[i] > quality[j]:
                    turned.append({1: 0.0, 0: 0.5, -1: 1.0}[int(np.sign(reward[i] - reward[j]))])
        expected = np.mean(turned) if turned else np.nan
        assert reversed_share(quality, reward) == pytest.approx(expected, nan_ok=True)


def test_the_best_changes_when_no_old_best_stays_on_top():
    assert best_changed(np.array([1.0, 0.9]), np.array([0.1, 0.9]))
    assert not best_changed(np.array([1.0, 1.0]), np.array([0.1, 0.9]))


@pytest.mark.parametrize("method", ["tf-idf", "jaccard", "n-gram", "token-overlap"])
def test_every_method_of_texts_tells_equal_from_unrelated(method):
    texts = [
        "the red fox jumps over the fence",
        "the red fox jumps over the fence",
        "cold milk is good for small cats",
    ]
    similarity = prepare(rollouts([None] * 3, [1, 1, 1], texts=texts), method)
    result = groups.run(similarity, Options(threshold=0.8))
    assert result.responses["class_id"].tolist() == [0, 0, 1]
