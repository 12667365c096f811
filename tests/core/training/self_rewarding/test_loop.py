"""The whole loop on a tiny policy: what is recorded, resumption, and that pairs follow the rule."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.engine.service import RewardService
from core.labs.self_rewarding.generations import read_generations
from core.labs.self_rewarding.iterations import run as measure_pairs
from core.labs.self_rewarding.pairs import build_pairs
from core.training.self_rewarding import SelfRewardingRecipe, collect_runs, run_self_rewarding
from tests.core.training.self_rewarding.conftest import PROMPTS


class StoppedError(Exception):
    """Stands for Ctrl-C."""


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_parquet(folder / "rollouts.parquet"), pd.read_parquet(folder / "pairs.parquet")


@pytest.fixture(params=["classic", "temporal"])
def method(request: pytest.FixtureRequest) -> str:
    """Both ways of making pairs."""
    return str(request.param)


@pytest.mark.slow
def test_a_run_records_samples_and_the_pairs_made_of_them(
    recipe: SelfRewardingRecipe, service: RewardService, tmp_path: Path, method: str
) -> None:
    recipe = recipe.with_changes(method=method, seed=3)
    run_self_rewarding(recipe, tmp_path, prompts=PROMPTS, service=service)
    rollouts, pairs = tables(tmp_path)
    sources = {"Mi"} if method == "classic" else {"Mi", "Mf"}
    assert set(rollouts["source"]) == sources
    counts = rollouts.groupby(["step", "source"]).size().to_dict()
    current = {(step, "Mi"): 12 for step in (0, 1, 2)}
    ahead = {(step, "Mf"): 12 for step in (0, 1)} if method == "temporal" else {}
    assert counts == current | ahead
    assert set(rollouts["run"]) == {f"{method}/seed-3"}
    for row in rollouts.itertuples():
        assert row.reward == pytest.approx(
            row.response.count("e") + len(row.response) / 99, abs=1e-4
        )
        assert np.isnan(row.outside) == (row.source == "Mf")
        assert row.source == "Mf" or row.outside == len(row.response)
    assert set(pairs["iteration"]) <= {0, 1}
    _check_pairs(rollouts, pairs, method)
    assert not (tmp_path / "state.pt").exists()


def _check_pairs(rollouts: pd.DataFrame, pairs: pd.DataFrame, method: str) -> None:
    """The rule on the recorded samples gives the recorded pairs."""
    temporal = method == "temporal"
    first = rollouts[(rollouts["step"] == 0) & (rollouts["source"] == "Mi")].assign(source="M0")
    for iteration in (0, 1):
        samples = rollouts[rollouts["step"] == iteration]
        samples = pd.concat([samples, first]) if temporal else samples
        built = build_pairs(
            samples.rename(columns={"reward": "judge_score"}), anchored=temporal, future=temporal
        ).pairs
        found = pairs[pairs["iteration"] == iteration].reset_index(drop=True)
        names = ["problem_id", "chosen_sample", "chosen_source", "rejected_sample"]
        pd.testing.assert_frame_equal(found[names], built[names], check_dtype=False)
        assert np.allclose(found["gap"], built["gap"], atol=1e-5)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_record(
    recipe: SelfRewardingRecipe, service: RewardService, tmp_path: Path, method: str
) -> None:
    recipe = recipe.with_changes(method=method)
    told: list[str] = []

    def stop_in_second_iteration(line: str) -> None:
        told.append(line)
        if "iteration 1, phase" in line:
            raise StoppedError

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_self_rewarding(recipe, whole, prompts=PROMPTS, service=service)
    with pytest.raises(StoppedError):
        run_self_rewarding(
            recipe, parts, stop_in_second_iteration, prompts=PROMPTS, service=service
        )
    assert not (parts / "rollouts.parquet").exists()
    told.clear()
    run_self_rewarding(recipe, parts, told.append, prompts=PROMPTS, service=service)
    assert told[0] == f"{method}/seed-0: goes on with iteration 1"
    for one, other in zip(tables(whole), tables(parts), strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_another_recipe_begins_anew(
    recipe: SelfRewardingRecipe, service: RewardService, tmp_path: Path
) -> None:
    def stop(line: str) -> None:
        if "iteration 1" in line:
            raise StoppedError

    with pytest.raises(StoppedError):
        run_self_rewarding(recipe, tmp_path, stop, prompts=PROMPTS, service=service)
    assert (tmp_path / "state.pt").exists()
    told: list[str] = []
    changed = recipe.with_changes(seed=9, iterations=1)
    run_self_rewarding(changed, tmp_path, told.append, prompts=PROMPTS, service=service)
    assert told[0].startswith("classic/seed-9, iteration 0")


@pytest.mark.slow
def test_runs_put_together_are_what_the_lab_reads(
    recipe: SelfRewardingRecipe, service: RewardService, tmp_path: Path
) -> None:
    folders = []
    for method in ("classic", "temporal"):
        folders.append(tmp_path / method)
        one = recipe.with_changes(method=method, iterations=1)
        run_self_rewarding(one, folders[-1], prompts=PROMPTS, service=service)
        details = json.loads((folders[-1] / "run.json").read_text(encoding="utf-8"))
        assert set(details) == {"seconds", "left_out"}
    collect_runs(folders, tmp_path / "together")
    rollouts, pairs = tables(tmp_path / "together")
    result = measure_pairs(pairs, n_draws=50)
    before = result.estimates[result.estimates["measure"] == "loss_before"]["value"]
    assert np.allclose(before, np.log(2), atol=1e-6)
    assert read_generations(rollouts).table["method"].nunique() == 2
    problems = pd.read_parquet(tmp_path / "together" / "problems.parquet")
    assert list(problems["problem_id"]) == [each.problem_id for each in PROMPTS]


def test_loss_and_weight_are_means_over_the_passes(
    recipe: SelfRewardingRecipe, service: RewardService, tmp_path: Path
) -> None:
    one = recipe.with_changes(iterations=1, epochs=1)
    run_self_rewarding(one, tmp_path, prompts=PROMPTS, service=service)
    _, pairs = tables(tmp_path)
    assert len(pairs)
    assert np.allclose(pairs["loss"], np.log(2), atol=1e-6)
    assert np.allclose(pairs["weight"], recipe.beta / 2, atol=1e-6)
    assert (pairs["gradient_norm"] > 0).all()
    assert pairs["cosine"].between(-1, 1).all()
