"""Head to head, changed minds and paired tests on small tables worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from core.labs.compare import (
    CompareError,
    CompareOptions,
    changed_minds,
    compare_head_to_head,
    compare_paired,
    outcomes_table,
    read_scores,
)
from core.labs.compare.paired import ACCURACY_FLIP, MARGIN_FLIP, MCNEMAR
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=500, n_permutations=4096)


def test_points_say_who_prefers_the_chosen_response_and_which_row_they_are():
    table = long_table(
        {"a": [1, 1, -1, -1, 0, 2], "b": [10, -10, 10, -10, 10, 20]}, prompts=list("uvwxyz")
    )
    table.loc[5, "error"] = "failed"
    found = compare_head_to_head(read_scores(table), "a", "b")
    points = found.points
    assert points["kind"].tolist() == ["both", "only x", "only y", "neither", "tie"]
    assert points["row"].tolist() == [0, 1, 2, 3, 4]
    assert points["pair_id"].tolist() == ["x0", "x1", "x2", "x3", "x4"]
    assert points["prompt_id"].tolist() == list("uvwxy")
    assert points["margin_y"].tolist() == [10, -10, 10, -10, 10]
    # Root mean squares over what each model has: a of five, b of six pairs.
    assert points["x"].tolist() == pytest.approx(points["margin_x"] / math.sqrt(4 / 5))
    assert points["y"].tolist() == pytest.approx(points["margin_y"] / math.sqrt(900 / 6))
    assert sum(found.counts.values()) == 5
    assert found.left_out == {"failed": 1}


def test_rows_of_the_points_find_their_pairs_when_some_are_left_out():
    table = random_table(12, ["a", "b"])
    table.loc[[2, 5], "error"] = "failed"
    scores = read_scores(table)
    points = compare_head_to_head(scores, "b", "a").points
    assert scores.pairs.loc[points["row"], "pair_id"].tolist() == points["pair_id"].tolist()


def test_unknown_models_are_refused():
    scores = read_scores(random_table(6, ["a", "b"]))
    for lab in (compare_head_to_head, changed_minds, compare_paired):
        with pytest.raises(CompareError, match="no model 'z'"):
            lab(scores, "a", "z")


def changes_of(baseline, candidate, **options):
    scores = read_scores(long_table({"before": baseline, "after": candidate}))
    return changed_minds(scores, "before", "after", CompareOptions(n_resamples=300, **options))


def test_every_kind_of_change_is_told_apart():
    found = changes_of([1, -1, 1, -1, 0, 0, 2, 0], [-1, 1, 0, 0, 1, -1, 3, 0])
    assert found.counts == {
        "won": 1,
        "lost": 1,
        "became a tie": 2,
        "was a tie": 2,
        "same": 2,  # a winner kept, and two ties
    }
    assert len(found.changes) == 6
    assert found.flipped.value == pytest.approx(2 / 8)
    assert found.flipped.n == 8
    assert found.flipped.low < 2 / 8 < found.flipped.high


def test_clear_changes_come_first_and_the_largest_of_them_on_top():
    found = changes_of([1.0, 3.0, 0.05, 2.0], [-1.0, -3.0, -4.0, 2.0], noise_floors={"before": 0.1})
    assert found.changes["pair_id"].tolist() == ["x1", "x0", "x2"]
    assert found.changes["within_noise"].tolist() == [False, False, True]


def test_flips_within_the_noise_floor_are_marked_and_counted_apart():
    floors = {"before": 0.5, "after": 0.2}
    found = changes_of([0.4, 1.0, 1.0, 1.0], [-1.0, -0.1, -0.2, 1.0], noise_floors=floors)
    marked = found.changes.set_index("pair_id")["within_noise"]
    # A margin of exactly the floor is not below it.
    assert marked.to_dict() == {"x0": True, "x1": True, "x2": False}
    assert found.counts["lost"] == 3
    assert found.counts_clear["lost"] == 1
    assert found.flipped.value == 3 / 4
    assert found.flipped_clear.value == 1 / 4
    assert found.noise_floors == (0.5, 0.2)


def test_changes_equal_a_loop_on_random_tables():
    for seed in range(5):
        scores = read_scores(random_table(50, ["a", "b"], seed=seed))
        found = changed_minds(scores, "a", "b", FAST)
        expected = {
            pair
            for pair, x, y in zip(
                scores.pairs["pair_id"], scores.margins["a"], scores.margins["b"], strict=True
            )
            if (x > 0) != (y > 0)
        }
        assert set(found.changes["pair_id"]) == expected
        assert found.counts["won"] + found.counts["lost"] == len(expected)


def test_a_model_against_itself_changes_nothing_and_does_not_claim_certainty():
    found = changes_of([1.0, -2.0, 0.0], [1.0, -2.0, 0.0])
    assert found.changes.empty
    assert found.flipped.value == 0.0
    assert found.flipped.high > 0.3


def test_mcnemar_and_sign_flip_of_accuracy_by_enumeration():
    before = [1, 1, -1, -1, -1, -1, -1, 1]
    after = [1, -1, 1, 1, 1, 1, -1, 1]
    scores = read_scores(long_table({"before": before, "after": after}))
    found = compare_paired(scores, "before", "after", FAST)
    # One pair lost, four gained: two-sided binomial tail 2 (1 + 5) / 32.
    assert found.tests[MCNEMAR].p_value == pytest.approx(12 / 32)
    assert found.tests[MCNEMAR].statistic == 3
    # With one pair a prompt the sign flips of the five that changed are the same binomial.
    assert found.tests[ACCURACY_FLIP].p_value == pytest.approx(12 / 32)
    assert found.accuracy_difference.value == pytest.approx(3 / 8)
    assert found.accuracy_baseline.value == pytest.approx(3 / 8)
    assert found.accuracy_candidate.value == pytest.approx(6 / 8)


def test_sign_flip_of_standardised_margins_by_enumeration():
    scores = read_scores(
        long_table({"a": [1, 2, -1, 3, 2, 1], "b": [30, 10, 20, -10, 40, 20]}, prompts="uuvvww")
    )
    found = compare_paired(scores, "a", "b", FAST)
    change = (scores.standard_margins["b"] - scores.standard_margins["a"]).to_numpy()
    sums = change.reshape(3, 2).sum(axis=1)
    reached = [
        abs(np.dot(signs, sums)) >= abs(sums.sum()) - 1e-12
        for signs in itertools.product([1, -1], repeat=3)
    ]
    assert found.tests[MARGIN_FLIP].p_value == pytest.approx(np.mean(reached))
    assert found.tests[MARGIN_FLIP].statistic == pytest.approx(change.mean())
    assert found.margin_difference.value == pytest.approx(change.mean())


def test_ties_count_half_in_accuracy_and_leave_mcnemar_with_their_number():
    scores = read_scores(long_table({"before": [0, 1, -1, -1], "after": [1, 0, 1, -1]}))
    found = compare_paired(scores, "before", "after", FAST)
    assert found.accuracy_difference.value == pytest.approx((0.5 - 0.5 + 1 + 0) / 4)
    assert found.tests[MCNEMAR].n == 2
    assert found.tests[MCNEMAR].left_out == {"tie under one of the two": 2}
    assert found.tests[ACCURACY_FLIP].n == 4


def test_equal_models_show_no_difference_and_no_certainty():
    scores = read_scores(long_table({"a": [1, -1, 2] * 10, "b": [2, -3, 1] * 10}))
    found = compare_paired(scores, "a", "b", FAST)
    assert found.accuracy_difference.value == 0
    # Wilson for 0 of 30: z^2 / (30 + z^2).
    assert found.accuracy_difference.high == pytest.approx(0.11352, abs=1e-4)
    assert found.accuracy_difference.low == -found.accuracy_difference.high
    assert found.tests[MCNEMAR].p_value == found.tests[ACCURACY_FLIP].p_value == 1
    assert np.isnan(found.detectable_accuracy)


def test_detectable_difference_is_seen_in_four_of_five_tables():
    rng = np.random.default_rng(2)
    n, seen, detectable = 200, 0, []
    for _ in range(60):
        before = np.where(rng.random(n) < 0.6, 1.0, -1.0)
        # A fifth of the pairs is drawn anew, so the accuracy rises by 0.2 * (p - 0.6).
        anew = rng.random(n) < 0.2
        after = np.where(anew, np.where(rng.random(n) < 0.93, 1.0, -1.0), before)
        scores = read_scores(long_table({"a": before, "b": after}))
        found = compare_paired(scores, "a", "b", CompareOptions(n_resamples=50, n_permutations=400))
        seen += found.tests[ACCURACY_FLIP].p_value <= 0.05
        detectable.append(found.detectable_accuracy)
    # The true rise is 0.066, near the smallest detectable effect, so about 4 of 5 are seen.
    assert np.mean(detectable) == pytest.approx(0.066, abs=0.012)
    assert seen / 60 == pytest.approx(0.8, abs=0.15)


def test_left_out_pairs_are_counted_in_every_number():
    table = random_table(20, ["a", "b"])
    table.loc[3, "error"] = "failed"
    found = compare_paired(read_scores(table), "a", "b", FAST)
    assert found.left_out == {"failed": 1}
    for estimate in (found.accuracy_baseline, found.accuracy_difference, found.margin_difference):
        assert estimate.n == 19
        assert estimate.left_out == {"failed": 1}


def test_one_prompt_gives_values_and_no_verdict():
    scores = read_scores(long_table({"a": [1, 2, -1], "b": [-1, 2, -1]}, prompts="ppp"))
    found = compare_paired(scores, "a", "b", FAST)
    assert found.accuracy_difference.value == pytest.approx(-1 / 3)
    assert np.isnan(found.accuracy_difference.low)
    assert found.tests[ACCURACY_FLIP].p_value == 1.0
    assert "too small" in found.tests[MCNEMAR].method


def test_p_values_of_several_candidates_are_corrected_within_each_test():
    scores = read_scores(random_table(40, ["a", "b", "c", "d"]))
    table = outcomes_table([compare_paired(scores, "a", other, FAST) for other in "bcd"])
    assert len(table) == 9
    for _, part in table.groupby("test"):
        ordered = np.sort(part["p_value"])
        by_hand = np.minimum.accumulate((ordered * 3 / np.arange(1, 4))[::-1])[::-1]
        assert np.sort(part["p_adjusted"]) == pytest.approx(np.minimum(by_hand, 1))


def test_no_candidate_makes_an_empty_table_of_tests():
    assert outcomes_table([]).empty


def test_a_number_does_not_depend_on_what_else_is_compared():
    table = random_table(30, ["a", "b", "c"])
    with_c = compare_paired(read_scores(table), "a", "b", FAST)
    without = compare_paired(read_scores(table, ["a", "b"]), "a", "b", FAST)
    assert with_c.accuracy_difference == without.accuracy_difference
    assert with_c.tests == without.tests
