"""A checkpoint is known by its name, wherever trainers write the step."""

from pathlib import Path

import pytest

from core.models.card import AdapterSource, EmbeddedSource, HubSource, LocalSource, RewardModelCard
from core.models.catalogue import list_cards
from core.models.checkpoints import Checkpoint, checkpoint_of, training_runs

BASE = EmbeddedSource(kind="embedded", name="base")


def card(model: str, source) -> RewardModelCard:
    return RewardModelCard(id=model, source=source, family="sequence-classifier")


def local(path: str) -> LocalSource:
    return LocalSource(kind="local", path=Path(path))


@pytest.mark.parametrize(
    ("model", "run", "step"),
    [
        ("pocket-step-0030", "pocket", 30),
        ("org/name-checkpoint-500", "org/name", 500),
        ("org/name@step_100", "org/name", 100),
        ("mine/global_step_40", "mine", 40),
        ("mine.ckpt7", "mine", 7),
        ("two-step-method-step-9", "two-step-method", 9),
    ],
)
def test_the_id_says_run_and_step(model, run, step):
    assert checkpoint_of(model) == Checkpoint(model, run, step)


@pytest.mark.parametrize("model", ["pocket", "skywork-v2-0.6b", "step-30", "footstep5", "a-step-x"])
def test_other_names_are_no_checkpoints(model):
    assert checkpoint_of(model) is None


def test_the_folder_says_it_where_the_id_does_not():
    source = local("/runs/first/checkpoints/checkpoint-200")
    found = checkpoint_of("first-checkpoint-200-ab12cd", card("first-200", source))
    assert found == Checkpoint("first-checkpoint-200-ab12cd", "/runs/first", 200)
    adapter = AdapterSource(kind="adapter", adapter=source, base=BASE)
    assert checkpoint_of("x", card("x", adapter)) == Checkpoint("x", "/runs/first", 200)


def test_the_hub_revision_says_it_too():
    source = HubSource(kind="hub", repo="org/name", revision="step-100")
    assert checkpoint_of("mine", card("mine", source)) == Checkpoint("mine", "org/name", 100)


def test_runs_are_in_the_order_of_their_steps_and_one_checkpoint_is_none():
    named = ["b-step-20", "a-step-100", "a-step-9", "single-step-1", "b-step-3"]
    found = training_runs([c for c in map(checkpoint_of, named) if c is not None])
    assert {run: [c.step for c in checkpoints] for run, checkpoints in found.items()} == {
        "a": [9, 100],
        "b": [3, 20],
    }


def test_of_two_checkpoints_after_one_step_the_first_is_kept():
    twice = [Checkpoint("x", "run", 5), Checkpoint("y", "run", 5), Checkpoint("z", "run", 6)]
    assert [c.model for c in training_runs(twice)["run"]] == ["x", "z"]


def test_the_shipped_checkpoints_make_a_run():
    cards = list_cards()
    found = [checkpoint_of(each.id, each) for each in cards]
    runs = training_runs([checkpoint for checkpoint in found if checkpoint is not None])
    assert len(runs["pocket"]) >= 2
    assert [c.step for c in runs["pocket"]] == sorted(c.step for c in runs["pocket"])
