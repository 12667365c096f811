"""The run view: checkpoints in the order of their steps, measured in the first one's ruler."""

import numpy as np
import pytest

from core.labs.compare import CompareError, CompareOptions, index_estimates, read_scores, run_view
from core.labs.compare.checkpoints import ACCURACY, CHANGE, DRIFT, FLIPPED, MARGIN, NOISE
from core.stats import Estimate
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=300)


def test_checkpoints_are_ordered_by_the_number_their_name_ends_with():
    scores = read_scores(random_table(10, ["run/step-100", "run/step-20", "run/step-3 final"]))
    view = run_view(scores, options=FAST)
    assert view.checkpoints == ("run/step-3 final", "run/step-20", "run/step-100")
    assert view.steps == (3, 20, 100)
    assert view.line(ACCURACY)["step"].tolist() == [3, 20, 100]


def test_given_steps_are_used_and_gaps_in_them_refused():
    scores = read_scores(random_table(10, ["late", "early"]))
    assert run_view(scores, {"late": 9, "early": 0.5}, FAST).checkpoints == ("early", "late")
    for steps in (None, {"late": 9}, {"late": 9, "early": float("nan")}):
        with pytest.raises(CompareError, match=r"step of '(late|early)'"):
            run_view(scores, steps, FAST)
    with pytest.raises(CompareError, match="Two checkpoints have step 9"):
        run_view(scores, {"late": 9, "early": 9}, FAST)


def test_measures_by_hand():
    table = long_table({"s1": [2.0, -2.0], "s2": [4.0, 4.0]})
    table.loc[table["model"] == "s2", ["reward_chosen", "reward_rejected"]] += 1.0
    view = run_view(read_scores(table), options=CompareOptions(noise_floors={"s2": 0.5}))
    # The first checkpoint's four rewards: 2, -2, 0, 0.
    ruler = np.sqrt(2)
    assert view.ruler == pytest.approx(ruler)
    assert view.line(ACCURACY)["value"].tolist() == [0.5, 1.0]
    assert view.line(MARGIN)["value"].tolist() == pytest.approx([0, 4 / ruler])
    # Rewards went 2 -> 5, -2 -> 5, 0 -> 1, 0 -> 1.
    assert view.line(DRIFT)["value"].tolist() == pytest.approx([0, (3 + 7 + 1 + 1) / 4 / ruler])
    assert view.line(DRIFT)["n"].tolist() == [4, 4]
    assert view.line(NOISE)["value"].tolist() == pytest.approx([0.5 / ruler])
    assert view.line(FLIPPED)["value"].tolist() == [0.5]


def test_change_does_not_cancel_where_drift_does():
    view = run_view(read_scores(long_table({"s1": [1.0, -1.0], "s2": [2.0, -2.0]})), options=FAST)
    assert view.line(DRIFT)["value"].iloc[1] == pytest.approx(0)
    assert view.line(CHANGE)["value"].iloc[1] > 0


def test_measures_do_not_depend_on_the_runs_unit():
    table = random_table(30, ["s1", "s2", "s3"])
    scaled = table.copy()
    scaled[["reward_chosen", "reward_rejected"]] *= 50
    first, second = (run_view(read_scores(t), options=FAST).table for t in (table, scaled))
    assert first["value"].tolist() == pytest.approx(second["value"].tolist())


def test_every_measure_carries_n_interval_and_what_was_left_out():
    table = random_table(20, ["s1", "s2"])
    table.loc[0, "error"] = "failed"
    view = run_view(read_scores(table), options=FAST)
    assert (view.table["n"] > 0).all()
    assert view.table[["low", "high"]].notna().all(axis=None)
    assert view.line(DRIFT)["left_out"].tolist() == ["failed: 1", "failed: 1"]


def test_bias_indices_of_other_labs_join_the_table():
    scores = read_scores(random_table(10, ["s1", "s2"]))
    slope = Estimate(0.3, 0.1, 0.5, 0.95, 40, 20, "given", {})
    view = run_view(scores, options=FAST, indices={"length slope": {"s2": slope}})
    (row,) = view.line("length slope").to_dict("records")
    assert (row["model"], row["value"], row["low"], row["n"]) == ("s2", 0.3, 0.1, 40)
    assert view.indices == ("length slope",)
    with pytest.raises(CompareError, match="no model 's9'"):
        run_view(scores, options=FAST, indices={"length slope": {"s9": slope}})


def test_bias_indices_from_columns_are_means_over_prompts():
    table = random_table(10, ["s1", "s2"])
    table["flattery"] = np.arange(20.0)
    table.loc[3, "flattery"] = np.nan
    found = index_estimates(table, ["flattery"], FAST)
    assert found["flattery"]["s2"].value == pytest.approx(14.5)
    assert found["flattery"]["s1"].left_out == {"no number": 1}
    assert found["flattery"]["s2"].n_prompts == 5
    view = run_view(read_scores(table), options=FAST, indices=found)
    assert view.line("flattery")["value"].iloc[1] == pytest.approx(14.5)
    for column in ("domain", "nothing"):
        with pytest.raises(CompareError, match=column):
            index_estimates(table, [column], FAST)


def test_a_first_checkpoint_without_spread_has_no_ruler():
    view = run_view(read_scores(long_table({"s1": [0.0, 0.0], "s2": [1.0, 2.0]})), options=FAST)
    assert np.isnan(view.ruler)
    assert view.line(MARGIN)["value"].isna().all()
    assert view.line(ACCURACY)["value"].tolist() == [0.5, 1.0]
