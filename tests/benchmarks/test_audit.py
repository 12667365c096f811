"""The audit's benchmark: the same rewards both ways, ratios that follow, going on after a stop."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.audit import ALONE, ALONE_ONCE, main
from benchmarks.audit_plan import (
    PERTURBATIONS,
    Size,
    change_one_response,
    choose_pairs,
    plan_audit,
)
from core import models
from core.perturbations import get
from core.schema import content_id
from tests import tiny

SMALL = ["--pairs", "3", "--prompts", "3", "--perturbations", "6", "--alone", "6"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.save_model("llama", tmp_path / "model")


def measure(folder: Path, tmp_path: Path) -> dict[str, Any]:
    output = tmp_path / "report.json"
    arguments = ["--model", str(folder), *SMALL, "--work", str(tmp_path / "work")]
    assert main([*arguments, "--output", str(output)]) == 0
    return json.loads(output.read_text(encoding="utf-8"))


def lines_of(report: dict[str, Any], part: str, what: str) -> list[dict[str, Any]]:
    return [line for line in report["lines"] if (line["part"], line["what"]) == (part, what)]


def test_both_ways_give_the_same_rewards_and_the_ratios_follow_from_the_seconds(
    folder: Path, tmp_path: Path
) -> None:
    report = measure(folder, tmp_path)
    (rewards,) = lines_of(report, "alone", "rewards")
    assert rewards["largest_reward_difference"] < 1e-4  # the model computes in float32
    (alone,) = lines_of(report, "alone", ALONE)
    (once,) = lines_of(report, "alone", ALONE_ONCE)
    assert once["texts"] <= alone["texts"] == report["sample"]["needed"] <= report["sample"]["rows"]
    assert alone["sampled_texts"] == 6
    for part, target in (("audit", "≥ 2.5"), ("repeat", "≥ 20")):
        against = {line["peer"]: line for line in lines_of(report, part, "scoring")}
        assert against[ALONE]["target"] == target
        assert against[ALONE]["ratio"] == pytest.approx(
            alone["seconds"] / against[ALONE]["seconds"]
        )
        assert against[ALONE]["ratio"] >= against[ALONE_ONCE]["ratio"]
        (steps,) = lines_of(report, part, "seconds of each step")
        parts = [steps[f"{name}_s"] for name in ("battery", "matrix", "pairs")]
        assert sum(parts) == pytest.approx(against[ALONE]["seconds"])
        assert steps["statistics_s"] > 0
    (shown,) = lines_of(report, "estimate", "seconds shown before the start")
    assert shown["seconds"] > 0


def test_a_second_start_goes_on_from_what_has_been_measured(folder: Path, tmp_path: Path) -> None:
    first = measure(folder, tmp_path)
    (place,) = (tmp_path / "work").iterdir()
    assert measure(folder, tmp_path)["lines"] == first["lines"]
    (place / "repeat.json").unlink()  # as if it had been stopped there
    again = measure(folder, tmp_path)["lines"]
    for part, is_new in (("alone", False), ("audit", False), ("repeat", True)):
        of_part = [
            [line for line in lines if line["part"] == part] for lines in (first["lines"], again)
        ]
        assert (of_part[0] != of_part[1]) == is_new


def test_the_audit_is_as_large_as_asked_for(folder: Path) -> None:
    size = Size(pairs=5, prompts=3, perturbations=30)
    pairs = choose_pairs(models.load(str(folder)), size)
    audit = plan_audit(pairs, size)
    rows = audit.plans["battery"].requests
    assert len(set(rows["perturbation"])) == 31  # with the unedited
    assert len(audit.plans["matrix"]) == min(3, pairs["prompt_id"].nunique()) ** 2
    assert len(audit.plans["pairs"]) == 10
    assert rows.loc[rows["perturbation"] != "", "applied"].mean() > 0.8
    different = {content_id(each) for each in audit.needed()}
    assert different == {content_id(each) for each in audit.conversations()}


def test_the_battery_has_thirty_edits_that_there_are() -> None:
    assert len(set(PERTURBATIONS)) == len(PERTURBATIONS) == 30
    assert {get(name).group for name in PERTURBATIONS} == {"nothing", "lower", "shortcut"}


def test_one_response_is_changed_wherever_it_stands(folder: Path) -> None:
    pairs = choose_pairs(models.load(str(folder)), Size(pairs=40))
    changed = change_one_response(pairs)
    differs = pairs["chosen"] != changed["chosen"]
    assert differs.iloc[0]
    assert set(pairs.loc[differs, "chosen"]) == {pairs["chosen"].iloc[0]}
    assert len(changed["chosen"].iloc[0].split(" ")) == len(pairs["chosen"].iloc[0].split(" "))
    assert changed.drop(columns="chosen").equals(pairs.drop(columns="chosen"))
