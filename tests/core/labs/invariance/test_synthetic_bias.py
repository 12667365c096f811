"""Planting a bias: at the rates asked for, seen in the table, and with what failed counted."""

import numpy as np
import pytest

from core.errors import TableError
from core.labs.invariance.linear_head import HeadError, PairFeatures
from core.labs.invariance.synthetic_bias import inject_feature_bias, inject_text_bias
from core.perturbations import get

from .made import made_pairs


def test_rates_are_those_asked_for() -> None:
    found = inject_text_bias(
        made_pairs(2_000), lambda text: f"Yes! {text}", rng=np.random.default_rng(0)
    )
    assert found.pairs["chosen_biased"].mean() == pytest.approx(0.8, abs=0.03)
    assert found.pairs["rejected_biased"].mean() == pytest.approx(0.2, abs=0.03)
    starts = found.pairs["chosen"].str.startswith("Yes! ")
    assert (starts == found.pairs["chosen_biased"]).all()
    assert found.left_out == {}


def test_the_given_table_is_left_alone() -> None:
    pairs = made_pairs(5)
    inject_text_bias(pairs, lambda text: text + "!", rng=np.random.default_rng(0))
    assert pairs.equals(made_pairs(5))


def test_a_perturbation_plants_the_bias() -> None:
    pairs = made_pairs(20)
    rng = np.random.default_rng(0)
    found = inject_text_bias(pairs, get("flattery"), p_chosen=1, p_rejected=0, rng=rng)
    assert found.pairs["chosen_biased"].all()
    assert (found.pairs["rejected"] == pairs["rejected"]).all()
    ends = [new.endswith(old) for new, old in zip(found.pairs["chosen"], pairs["chosen"])]  # noqa: B905
    assert all(ends)


def test_what_could_not_be_edited_is_counted_and_not_marked() -> None:
    pairs = made_pairs(4)
    pairs.at[0, "chosen"] = None
    rng = np.random.default_rng(0)
    found = inject_text_bias(
        pairs, lambda text: None if "umbrella" in text else text + "!",
        p_chosen=1, p_rejected=0, rng=rng,
    )  # fmt: skip
    assert found.left_out == {"the response is not text": 1, "the edit did not apply": 1}
    assert found.pairs["chosen_biased"].tolist() == [False, False, True, True]
    nothing = inject_text_bias(
        made_pairs(3), get("reorder-items"), p_chosen=1, p_rejected=0, rng=rng
    )
    assert sum(nothing.left_out.values()) == 3


def test_features_get_the_direction_and_their_bins() -> None:
    zeros, bins = np.zeros((500, 3)), np.full(500, -1)
    pairs = PairFeatures(zeros, zeros, bins, bins, list(range(500)))
    found = inject_feature_bias(pairs, [0, 2.0, 0], rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found.chosen[:, 1], 2.0 * found.chosen_bins)
    np.testing.assert_array_equal(found.rejected[:, 1], 2.0 * found.rejected_bins)
    assert found.chosen_bins.mean() == pytest.approx(0.8, abs=0.06)
    assert found.rejected_bins.mean() == pytest.approx(0.2, abs=0.06)
    assert (pairs.chosen == 0).all()


def test_what_cannot_be_planted_is_said() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(TableError, match=r"rate 1\.2"):
        inject_text_bias(made_pairs(2), lambda text: text, p_chosen=1.2, rng=rng)
    with pytest.raises(TableError, match="edits the prompt"):
        inject_text_bias(made_pairs(2), get("typos-in-prompt"), rng=rng)
    zeros, bins = np.zeros((2, 3)), np.zeros(2, dtype=np.int64)
    with pytest.raises(HeadError, match="direction of shape"):
        inject_feature_bias(PairFeatures(zeros, zeros, bins, bins, [0, 1]), [1.0], rng=rng)
