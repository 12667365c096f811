"""Calibration against scikit-learn, brute force, and pairs whose answer is planted."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from core.errors import TableError
from core.labs.diversity.calibration import (
    area_under_curve,
    auc_difference,
    balanced_accuracy,
    best_threshold,
    calibrate,
    pair_similarities,
)


def pairs(n, strength, seed):
    rng = np.random.default_rng(seed)
    similar = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in range(n)],
            "similar": similar,
            "planted": rng.normal(size=n) + strength * similar,
            "noise": rng.normal(size=n),
        }
    )


def test_area_under_curve_is_scikit_learns_with_ties_and_weights():
    rng = np.random.default_rng(0)
    for _ in range(30):
        values, same = rng.integers(5, size=20) / 5, rng.random(20) < 0.5
        weights = rng.integers(1, 4, size=20)
        assert area_under_curve(values, same) == pytest.approx(roc_auc_score(same, values))
        assert area_under_curve(values, same, weights) == pytest.approx(
            roc_auc_score(same, values, sample_weight=weights)
        )
    assert np.isnan(area_under_curve([1, 2], [True, True]))


def test_balanced_accuracy_is_scikit_learns():
    rng = np.random.default_rng(1)
    said, same = rng.random((2, 40)) < 0.5
    assert balanced_accuracy(said, same) == pytest.approx(balanced_accuracy_score(same, said))


def test_the_threshold_is_the_best_of_all_there_are():
    rng = np.random.default_rng(2)
    for _ in range(30):
        values, same = rng.random(15), rng.random(15) < 0.5
        if same.all() or not same.any():
            continue
        threshold, reached = best_threshold(values, same)
        tried = [balanced_accuracy(values >= t, same) for t in [-1, *values, 2]]
        assert reached == pytest.approx(max(tried))
        assert balanced_accuracy(values >= threshold, same) == pytest.approx(reached)


def test_a_planted_signal_is_found_and_noise_is_not():
    found = calibrate(pairs(600, 2, 0), pairs(300, 2, 1), ["noise", "planted"])
    assert found.best.method == "planted"
    # Two normals two standard deviations apart: AUC = Phi(2 / sqrt 2) = 0.921.
    assert found.best.auc.low < 0.921 < found.best.auc.high
    noise = found.methods[1]
    assert noise.auc.low < 0.5 < noise.auc.high
    assert noise.accuracy.low < 0.5 < noise.accuracy.high
    assert found.best.auc.n_prompts == 300
    assert 0.5 < found.best.threshold < 1.5


def test_the_difference_of_two_methods_is_paired():
    validation = pairs(200, 2, 1)
    lead = auc_difference(validation, "planted", "noise")
    assert lead.value == pytest.approx(
        roc_auc_score(validation["similar"], validation["planted"])
        - roc_auc_score(validation["similar"], validation["noise"])
    )
    assert lead.low > 0
    none = auc_difference(validation, "planted", "planted")
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_similarities_of_pairs_on_texts_done_by_hand():
    found = pair_similarities(["a b c d", "same "], ["a b x y", "same"])
    assert found["exact"].tolist() == [0, 1]
    assert found["token-overlap"].tolist() == [0.5, 1]
    assert found["jaccard"].tolist() == pytest.approx([2 / 6, 1])
    assert found["n-gram"].tolist() == [0, 1]
    assert found["tf-idf"][1] == pytest.approx(1)


def test_the_rule_for_short_texts_is_counted():
    validation = pairs(3, 1, 0).assign(similar=[True, False, True])
    texts = (["42", "cat", "a b c d e f"], ["answer 42", "dog", "a"])
    found = calibrate(pairs(50, 1, 0), validation, ["noise"], texts=texts)
    assert found.n_short == (2, 3)
    assert found.token_rule_right == 2


def test_labels_of_one_kind_and_missing_columns_are_errors():
    good = pairs(20, 1, 0)
    with pytest.raises(TableError, match="all of one kind"):
        calibrate(good, good.assign(similar=True), ["noise"])
    with pytest.raises(TableError, match="no column"):
        calibrate(good.drop(columns="noise"), good, ["noise"])
