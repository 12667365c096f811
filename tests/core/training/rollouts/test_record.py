from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from transformers import LlamaForCausalLM
from typer.testing import CliRunner

from core.errors import SettingsError
from core.training.rollouts import publish as publishing
from core.training.rollouts.episodes import answer_directly
from core.training.rollouts.grpo import RolloutLog, RolloutSource, train
from core.training.rollouts.policy import copied
from core.training.rollouts.recipes import recipe, recipes
from core.training.rollouts.record import problems_of, record
from tests.core.training.rollouts.conftest import tiny_recipe


def test_a_run_is_recorded_in_all_its_splits(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    tables = record(tiny_recipe(), 0, tmp_path, lambda done, total, _: told.append((done, total)))
    rollouts = tables["rollouts"]
    counts = rollouts.groupby(["split", "step"], observed=True).size().to_dict()
    # 2 problems, groups of 4, 2 steps; 3 looks of 3 samples at 2 training and 1 held-out problem
    assert counts == {
        ("train", 0): 8,
        ("train", 1): 8,
        **{("checkpoint", step): 6 for step in (0, 1, 2)},
        **{("held_out", step): 3 for step in (0, 1, 2)},
    }
    assert set(rollouts["run"]) == {"plain/seed-0"}
    assert list(tables["problems"]["prompt"]) == [
        each.prompt for part in problems_of(tiny_recipe()) for each in part
    ]
    assert (2, 2) in told


def test_a_finished_run_is_read_and_not_trained_again(tmp_path: Path) -> None:
    first = record(tiny_recipe(), 0, tmp_path)
    told: list[int] = []
    again = record(tiny_recipe(), 0, tmp_path, lambda done, _total, _what: told.append(done))
    assert told == []
    pd.testing.assert_frame_equal(first["rollouts"], again["rollouts"], check_dtype=False)


def test_the_same_seed_draws_the_same_rollouts(tmp_path: Path) -> None:
    one = record(tiny_recipe(), 5, tmp_path / "one")["rollouts"]
    two = record(tiny_recipe(), 5, tmp_path / "two")["rollouts"]
    pd.testing.assert_frame_equal(one, two)


def test_base_draws_the_same_budget_and_never_changes(tmp_path: Path) -> None:
    base = record(tiny_recipe(method="base", name="tiny-base"), 0, tmp_path)["rollouts"]
    drawn = base[base["split"] == "train"]
    assert len(drawn) == 2 * 2 * 4
    # The untrained policy is asked twice: the same answer has the same probability both times.
    by_answer = drawn.groupby(["problem_id", "answer"], observed=True)["log_probability"]
    assert float(by_answer.agg(np.ptp).max()) < 1e-2


def updated(policy: LlamaForCausalLM, rewards_right: bool, **changes: object) -> float:
    """How much a few steps move the log-probability of the answer that is paid for."""
    settings = tiny_recipe(problems={"sum-2": 1}, group_size=16, learning_rate=1e-2, **changes)
    problems, _ = problems_of(settings)
    log = RolloutLog("run", with_tools=False)

    def draw(policy, problems, generator, temperature):  # type: ignore[no-untyped-def]
        from dataclasses import replace

        drawn = answer_directly(policy, problems, generator, temperature)
        # "Right" is an answer that begins with a digit, which random weights hit now and then.
        return [
            replace(each, score=float((each.answer or "")[:1].isdigit()) * rewards_right)
            for each in drawn
        ]

    source = RolloutSource(settings, problems, draw, log)
    source.seed(0)
    share = lambda: _digit_share(policy, problems[0].prompt)  # noqa: E731
    before = share()
    train(policy, problems, settings, source, steps=12, seed=0, after_step=lambda _: None)
    return share() - before


def _digit_share(policy: LlamaForCausalLM, prompt: str) -> float:
    from core.training.rollouts import tokens

    ids = torch.tensor([[tokens.BOS_ID, *tokens.encode(prompt)]])
    with torch.no_grad():
        shares = torch.softmax(policy(ids).logits[0, -1], -1)
    return float(shares[[tokens.IDS[digit] for digit in "0123456789"]].sum())


@pytest.mark.slow
def test_grpo_makes_what_is_paid_more_likely(policy: LlamaForCausalLM) -> None:
    assert updated(policy, rewards_right=True) > 0.05


@pytest.mark.slow
def test_without_a_reward_plain_grpo_changes_nothing(policy: LlamaForCausalLM) -> None:
    before = {name: weight.clone() for name, weight in policy.state_dict().items()}
    updated(policy, rewards_right=False)
    for name, weight in policy.state_dict().items():
        assert torch.allclose(weight, before[name], atol=1e-6), name


@pytest.mark.slow
def test_a_bonus_moves_the_policy_where_no_reward_does(policy: LlamaForCausalLM) -> None:
    before = {name: weight.clone() for name, weight in policy.state_dict().items()}
    updated(policy, rewards_right=False, exploration="ucb-con")
    moved = [
        float((weight - before[name]).abs().max()) for name, weight in policy.state_dict().items()
    ]
    assert max(moved) > 1e-4


@pytest.mark.slow
def test_task_order_shares_stages_and_tests_every_task(tmp_path: Path) -> None:
    settings = tiny_recipe(
        problems={"sum-2": 2, "sort": 2},
        held_out={"sum-2": 2, "sort": 1},
        orders=("sum-2>sort", "sort>sum-2", "joint"),
        stage_steps=1,
    )
    tables = record(settings, 0, tmp_path)
    tested = tables["evaluations"]
    assert sorted(set(tested["order"])) == ["joint", "sort>sum-2", "sum-2>sort"]
    assert len(tested) == 3 * 3 * 3  # orders, stages with the one before any, problems
    start = tested[tested["stage"] == 0].groupby("problem_id")["score"].nunique()
    assert (start == 1).all()
    assert set(tested.loc[tested["order"] == "joint", "trained"]) == {"", "joint"}
    runs = set(tables["rollouts"]["run"])
    assert {"sum-2/seed-0", "sum-2>sort/seed-0", "joint>joint/seed-0"} <= runs
    joint = tables["rollouts"].query("run == 'joint/seed-0'")
    assert joint["problem_id"].nunique() == 2  # one of each task


@pytest.mark.slow
def test_a_later_stage_trains_its_own_copy(policy: LlamaForCausalLM) -> None:
    """What the first stage left must neither stop the second nor be changed by it."""
    kept = copied(policy)
    updated(policy, rewards_right=True)
    second = copied(policy)
    before = _digit_share(policy, "12+34=")
    assert updated(second, rewards_right=True) > 0.01
    assert _digit_share(policy, "12+34=") == before
    assert _digit_share(kept, "12+34=") != before


@pytest.mark.slow
def test_a_step_draws_as_many_problems_as_the_recipe_says(tmp_path: Path) -> None:
    settings = tiny_recipe(problems={"sum-2": 6}, problems_per_step=2, steps=3)
    rollouts = record(settings, 0, tmp_path)["rollouts"].query("split == 'train'")
    assert rollouts.groupby("step")["problem_id"].nunique().tolist() == [2, 2, 2]
    assert rollouts["problem_id"].nunique() == 6  # each once in an epoch


def test_publishing_keeps_the_cards_words_and_lists_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tiny_recipe(seeds=(0, 1))
    monkeypatch.setattr(publishing, "recipes", lambda: (mine,))
    for seed in mine.seeds:
        record(mine, seed, tmp_path / "finished")
    target = tmp_path / "tiny"
    target.mkdir()
    words = {"title": "t", "description": "d", "command": "c", "findings": ["f"]}
    (target / "card.yaml").write_text(yaml.safe_dump({**words, "tables": [], "runs": []}))
    runs = publishing.publish("tiny", tmp_path / "finished", target)
    card = yaml.safe_load((target / "card.yaml").read_text())
    assert runs == ["plain/seed-0", "plain/seed-1"]
    assert {key: card[key] for key in words} == words
    assert [run["seed"] for run in card["runs"]] == [0, 1]
    assert pd.read_parquet(target / "rollouts.parquet")["run"].nunique() == 2


def test_a_problem_drawn_twice_in_a_step_is_published_with_one_numbering() -> None:
    rows = [("joint/seed-0", "train", 0, "p", sample) for sample in (0, 1, 0, 1)]
    rows += [("joint/seed-0", "train", 1, "p", sample) for sample in (0, 1)]
    columns = ["run", "split", "step", "problem_id", "sample"]
    numbered = publishing._numbered(pd.DataFrame(rows, columns=columns))
    assert numbered["sample"].tolist() == [0, 1, 2, 3, 0, 1]


def test_every_recipe_of_the_package_can_be_read() -> None:
    found = recipes()
    assert {"collapse", "tool-errors", "task-order"} <= {each.collection for each in found}
    assert all(recipe(each.name) == each for each in found)
    for each in found:
        training, held_out = problems_of(each)
        assert not {p.prompt for p in training} & {p.prompt for p in held_out}


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match="collapse-plain"):
        recipe("collapse-nothing")


def test_the_command_lists_the_recipes_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    from core.training.cli import train_app

    runner = CliRunner()
    listed = runner.invoke(train_app, ["rollouts", "--list"])
    assert listed.exit_code == 0
    assert "collapse-ucb-con" in listed.output
    refused = runner.invoke(train_app, ["rollouts", "--recipe", "x", "--output", str(tmp_path)])
    assert refused.exit_code == 2
    assert "There is no recipe 'x'" in refused.output
