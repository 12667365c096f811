import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.errors import SettingsError, TableError
from core.labs.process.aggregation import aggregate_steps, first_error, split_steps
from core.labs.process.benchmark import (
    choose_threshold,
    f1_of,
    first_errors,
    ranking_by_aggregate,
)
from core.labs.process.planted import planted_solutions


@pytest.mark.parametrize(
    ("rule", "wanted"), [("min", 0.5), ("product", 0.36), ("mean", 0.7333), ("last", 0.5)]
)
def test_the_published_vector(rule: str, wanted: float) -> None:
    assert aggregate_steps((0.9, 0.8, 0.5), rule) == pytest.approx(wanted, abs=5e-5)  # type: ignore[arg-type]


def test_missing_scores_give_no_reward() -> None:
    assert np.isnan(aggregate_steps([], "min"))
    assert np.isnan(aggregate_steps([0.5, np.nan], "last"))
    with pytest.raises(SettingsError):
        aggregate_steps([0.5], "median")  # type: ignore[arg-type]


def test_first_error_is_the_first_below_the_threshold() -> None:
    assert first_error([0.9, 0.4, 0.1], 0.5) == 1
    assert first_error([0.9, 0.5], 0.5) == -1


def test_steps_are_cut_at_separators() -> None:
    assert split_steps("a\n\n\n\n b \n\n", "\n\n") == ("a", "b")
    assert split_steps(" a\n\nb", "") == ("a\n\nb",)
    assert split_steps("\n", "\n") == ()


def test_f1_is_the_harmonic_mean_of_two_accuracies() -> None:
    labels, predicted = [2, 0, 1, 3, -1, -1], [2, 1, 1, -1, -1, 0]
    f1, erroneous, correct = f1_of(labels, predicted)
    assert (erroneous, correct) == (0.5, 0.5)
    assert f1 == pytest.approx(0.5)
    assert f1_of([0, -1, -1], [0, -1, 1])[0] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert f1_of([0, -1], [1, 0])[0] == 0
    assert np.isnan(f1_of([-1, -1], [-1, 0])[0])


def made(n: int, rng: np.random.Generator, noise: float) -> pd.DataFrame:
    rows = []
    for each in planted_solutions(n, rng=rng):
        scores = np.full(len(each.steps), 0.9)
        if each.label >= 0:
            scores[each.label] = 0.2
        scores = np.clip(scores + rng.normal(0, noise, len(scores)), 0, 1)
        rows.append({"problem_id": each.problem_id, "scores": scores, "label": each.label})
    return pd.DataFrame(rows)


def test_scores_that_know_find_every_error() -> None:
    rng = np.random.default_rng(0)
    found = first_errors(made(20, rng, 0.0), rng=rng, n_resamples=1000)
    assert found.f1.value == 1
    assert 0.2 < found.threshold <= 0.9
    assert found.n_calibration + len(found.predictions) == 40


def test_calibration_and_report_share_no_problem_and_agree_with_brute_force() -> None:
    rng = np.random.default_rng(1)
    table = made(30, rng, 0.3)
    found = first_errors(table, rng=rng, n_resamples=1000)
    assert found.predictions["problem_id"].nunique() == 30 - round(0.3 * 30)
    f1, *_ = f1_of(found.predictions["label"], found.predictions["predicted"])
    assert found.f1.value == pytest.approx(f1)
    assert found.f1.low <= found.f1.value <= found.f1.high
    assert found.f1.n_prompts == 21
    # An accuracy is over the solutions of its kind, not over all.
    wrong = found.predictions["label"] != -1
    assert (found.f1.n, found.on_erroneous.n, found.on_correct.n) == (
        len(wrong),
        int(wrong.sum()),
        int((~wrong).sum()),
    )


def test_the_threshold_is_the_best_there_is() -> None:
    rng = np.random.default_rng(2)
    table = made(15, rng, 0.4)
    scores, labels = list(table["scores"]), table["label"].to_numpy()
    chosen = choose_threshold(scores, labels)

    def f1(threshold: float) -> float:
        return f1_of(labels, [first_error(each, threshold) for each in scores])[0]

    assert f1(chosen) == pytest.approx(max(f1(t) for t in np.linspace(-0.01, 1.01, 3000)), abs=0.02)


def test_a_given_threshold_sets_nothing_aside() -> None:
    rng = np.random.default_rng(3)
    found = first_errors(made(5, rng, 0.1), rng=rng, threshold=0.5, n_resamples=1000)
    assert (found.n_calibration, len(found.predictions)) == (0, 10)


def test_damaged_rows_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(4)
    table = made(4, rng, 0.0)
    table.at[0, "scores"] = np.array([0.1, np.nan])
    table.at[1, "label"] = 9
    found = first_errors(table, rng=rng, threshold=0.5, n_resamples=1000)
    assert found.left_out == {
        "solutions with a step without score": 1,
        "labels beyond the steps": 1,
    }
    assert found.f1.left_out == found.left_out


def test_what_cannot_work_says_so() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(TableError, match="lacks label"):
        first_errors(pd.DataFrame({"problem_id": [1], "scores": [[0.1]]}), rng=rng)
    with pytest.raises(TableError, match="One problem"):
        first_errors(made(1, rng, 0.0), rng=rng)


def test_area_under_the_curve_against_sklearn() -> None:
    rng = np.random.default_rng(6)
    table = made(20, rng, 0.5)
    found = ranking_by_aggregate(table, rng=rng, n_resamples=1000).set_index("aggregate")
    for rule in ("min", "product", "last", "mean"):
        rewards = [aggregate_steps(each, rule) for each in table["scores"]]  # type: ignore[arg-type]
        wanted = roc_auc_score(table["label"] == -1, rewards)
        assert found.loc[rule, "auc"] == pytest.approx(wanted)


def test_planted_errors_are_where_the_label_says() -> None:
    for each in planted_solutions(30, rng=np.random.default_rng(7), n_steps=5):
        for number, step in enumerate(each.steps):
            left, right = step.split(": ")[1].rstrip(".").split(" = ")
            assert (eval(left) == int(right)) is (number != each.label)


def test_the_share_of_position_is_the_ratio_of_sums_of_squares() -> None:
    from core.labs.process.benchmark import position_share

    table = pd.DataFrame(
        {"problem_id": ["a", "b"], "scores": [[0.2, 0.8], [0.4, 0.6, 0.5]], "label": [-1, 1]}
    )
    # Means by position .3, .7, .5 about the mean .5; whole spread .09 + .09 + .01 + .01 + 0.
    assert position_share(table) == pytest.approx((2 * 0.04 + 2 * 0.04) / 0.2)
    equal = table.assign(scores=[[0.5, 0.5], [0.5, 0.5, 0.5]])
    assert np.isnan(position_share(equal))


def test_a_threshold_needs_both_kinds_of_solutions() -> None:
    table = pd.DataFrame(
        {"problem_id": list("abcd"), "scores": [[0.5, 0.6]] * 4, "label": [-1, -1, -1, -1]}
    )
    with pytest.raises(TableError, match="all right"):
        first_errors(table, rng=np.random.default_rng(0))
    found = first_errors(table, rng=np.random.default_rng(0), threshold=0.4, n_resamples=20)
    assert found.on_correct.value == 1
    assert np.isnan(found.f1.value)
