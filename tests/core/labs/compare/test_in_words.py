"""Sentences say the numbers of the results, and say when there are none."""

from dataclasses import replace

import numpy as np
import pytest

from core.labs.compare import (
    CompareOptions,
    compare_head_to_head,
    outcomes_table,
    read_scores,
    run,
    run_view,
    slice_scores,
)
from core.labs.compare.agreement import MEASURES, SAME_WINNER
from core.labs.compare.in_words import (
    agreement_words,
    calibration_words,
    changed_words,
    ensemble_words,
    head_to_head_words,
    of_pairs,
    outcome_p,
    overview_words,
    p_value,
    paired_words,
    percent,
    points,
    run_words,
    slice_words,
)
from core.stats import Estimate
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=200, n_permutations=500)
NAN = float("nan")


@pytest.fixture(scope="module")
def few():
    """Four pairs: a is right on three, b on two, one of them not a's."""
    return run(long_table({"a": [1, 2, 3, -1], "b": [1, 2, -3, -1]}), FAST)


def estimate(value, low, high, n=4, n_prompts=2) -> Estimate:
    return Estimate(value, low, high, 0.95, n, n_prompts, "by hand", {})


def test_numbers_are_written_with_interval_and_n():
    assert percent(estimate(0.5, 0.25, 0.875)) == "50.0 % (25.0 to 87.5)"
    assert percent(estimate(0.5, NAN, NAN)) == "50.0 % (no interval)"
    assert percent(estimate(NAN, NAN, NAN)) == "no value"
    assert points(estimate(-0.1, -0.2, 0.05)) == "-10.0 points (-20.0 to +5.0)"
    assert of_pairs(estimate(0, 0, 0)) == "4 pairs of 2 prompts"
    assert of_pairs(estimate(0, 0, 0, 1, 1)) == "1 pair of 1 prompt"
    assert (p_value(0.0001), p_value(0.25), p_value(NAN)) == (
        "p < 0.001",
        "p = 0.250",
        "p not known",
    )


def test_overview_names_the_best_and_the_worst(few):
    text = overview_words(few.overview)
    assert text.startswith("a prefers the chosen response most often: 75.0 %")
    assert "Least often: b, 50.0 %" in text


def test_head_to_head_counts(few):
    text = head_to_head_words(compare_head_to_head(few.scores, "a", "b"))
    assert "Of 4 pairs both are right on 2 and both wrong on 1." in text
    assert "They disagree on 1: only a is right on 1, only b on 0." in text


def test_changed_minds_count_and_name_the_noise():
    options = replace(FAST, noise_floors={"a": 0.0, "b": 5.0})
    found = run(long_table({"a": [1, 2, 3, -1], "b": [1, 2, -3, 1]}), options).changed[0]
    text = changed_words(found)
    assert "From a to b, 2 of 4 pairs of 4 prompts change their winner" in text
    assert "1 become right, 1 become wrong" in text
    assert "Within a noise floor, where the winner is chance: 2 of them." in text


def test_paired_says_what_could_have_been_seen(few):
    one = few.paired[0]
    text = paired_words(one, outcome_p(outcomes_table(few.paired), "b"))
    assert text.startswith("b against a: -25.0 points")
    assert "Not told apart from no difference; a true one of" in text
    sure = paired_words(one, 0.001)
    assert sure.endswith("b is right less often.")
    same = run(long_table({"a": [1, 2], "b": [1, 2]}), FAST).paired[0]
    assert "what could have been seen is not known" in paired_words(same, 1.0)


@pytest.mark.parametrize("measure", MEASURES)
def test_agreement_names_two_models(few, measure):
    text = agreement_words(few.agreement, measure)
    assert "a and b" in text
    assert "4 pairs of 4 prompts" in text
    if measure == SAME_WINNER:
        assert "75.0 %" in text


def test_agreement_of_three_names_the_extremes():
    found = run(random_table(40, ["a", "b", "c"]), FAST)
    text = agreement_words(found.agreement, SAME_WINNER)
    assert text.startswith("Closest: ")
    assert "Furthest: " in text


def test_calibration_tells_too_sure_from_not_sure_enough():
    wrong = [8.0] * 6 + [-8.0] * 4
    right = [0.1] * 9 + [-0.1]
    found = run(long_table({"a": wrong, "b": right}), FAST).calibration
    assert "as given it is too sure" in calibration_words(found, "a")
    assert "as given it is not sure enough" in calibration_words(found, "b")


def test_calibration_without_a_finite_temperature():
    found = run(long_table({"a": [1.0, 2, 3], "b": [-1.0, -2, -3]}), FAST).calibration
    assert "no temperature is small enough" in calibration_words(found, "a")
    assert "no temperature helps" in calibration_words(found, "b")


def test_slices_name_best_and_worst_or_say_that_none_is_judged():
    table = long_table(
        {"a": [1] * 12 + [-1] * 12, "b": [1] * 24},
        kind=["easy"] * 12 + ["hard"] * 12,
    )
    text = slice_words(slice_scores(read_scores(table), "kind", FAST), "a")
    assert "best easy, 100.0 %" in text
    assert "worst hard, 0.0 %" in text
    assert "as no verdict varies: easy (+100 points), hard (-100 points)" in text
    assert "None differs" not in text
    small = slice_scores(read_scores(table), "kind", replace(FAST, min_prompts=20))
    assert "no slice has 20 prompts" in slice_words(small, "a")


def test_slices_that_differ_after_correction_are_named():
    table = long_table(
        {"a": [1] * 28 + [-1] * 2 + [-1] * 27 + [1] * 3, "b": [1] * 60},
        kind=["easy"] * 30 + ["hard"] * 30,
    )
    text = slice_words(slice_scores(read_scores(table), "kind", FAST), "a")
    assert "Different from the rest after correction: easy (+83 points), hard (-83 points)" in text


def test_ensembles_name_the_best_of_both(few):
    text = ensemble_words(few.ensembles)
    assert "On the 4 pairs of 4 prompts that all have scored" in text
    assert "the best single model, a, on 75.0 %" in text


def test_a_run_goes_from_first_to_last():
    table = long_table({"r-step-5": [1, -1, 1, -1], "r-step-20": [1, 1, 1, -1]})
    options = replace(FAST, noise_floors={"r-step-20": 100.0})
    text = run_words(run_view(read_scores(table), options=options))
    assert "from 50.0 %" in text
    assert "after 5 steps to 75.0 %" in text
    assert "25.0 %" in text
    assert "within the last one's noise floor" in text


def test_nothing_scored_is_said_everywhere():
    table = long_table({"a": [np.nan] * 3, "b": [np.nan] * 3})
    table["error"] = "failed"
    found = run(table, FAST)
    assert "No pair has a margin" in overview_words(found.overview)
    assert "No pair has a margin" in head_to_head_words(
        compare_head_to_head(found.scores, "a", "b")
    )
    assert "has no pair with a margin" in calibration_words(found.calibration, "a")
    assert "No two models" in agreement_words(found.agreement, SAME_WINNER)
    assert "No pair has a finite reward" in ensemble_words(found.ensembles)
    assert "no difference known" in paired_words(found.paired[0], NAN)
    assert changed_words(found.changed[0])
