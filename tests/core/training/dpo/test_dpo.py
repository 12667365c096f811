"""DPO on a tiny model: its loss and its rewards against plain computations."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import SettingsError
from core.models.card import RewardModelCard
from core.models.implicit import load_implicit
from core.schema import make_conversation
from core.training.dpo.publish import measure, publish
from core.training.dpo.recipe import DpoRecipe, read_dpo_recipe, write_dpo_recipe
from core.training.dpo.train import (
    DpoResult,
    chosen_pairs,
    held_out_margins,
    response_tokens,
    train_dpo,
)
from core.training.policy import Policy
from core.training.preferences import AuthoredPrompt
from tests.core.training.policy.conftest import PROMPT_TEMPLATE


@pytest.fixture(scope="module")
def dpo_recipe(tiny_base: Path) -> DpoRecipe:
    return DpoRecipe(
        "tiny-dpo",
        base=str(tiny_base),
        beta=0.5,
        epochs=4,
        pairs_per_step=6,
        learning_rate=2e-2,
        lora_rank=2,
        first_layer=1,
        prompt_template=PROMPT_TEMPLATE,
        dtype="float32",
    )


@pytest.fixture(scope="module")
def trained(dpo_recipe: DpoRecipe, prompts: tuple[AuthoredPrompt, ...]) -> DpoResult:
    return train_dpo(dpo_recipe, prompts[:8])


def slow(policy: Policy, prompt: str, response: str) -> float:
    """Log-probability of a response, one token after the other through the whole network."""
    ids = list(policy.encode_prompt(prompt))
    total = 0.0
    for token in response_tokens(policy, response):
        with torch.no_grad():
            logits = policy.network(torch.tensor([ids], device=policy.device)).logits[0, -1]
        total += float(logits.double().log_softmax(-1)[token])
        ids.append(token)
    return total


def slow_ratio(policy: Policy, prompt: str, response: str) -> float:
    own = slow(policy, prompt, response)
    with policy.untrained():
        return own - slow(policy, prompt, response)


def test_the_first_loss_is_that_of_a_policy_like_its_reference(trained: DpoResult) -> None:
    first = trained.steps.iloc[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert first["margin"] == pytest.approx(0, abs=1e-3)


def test_training_lowers_the_loss_and_raises_the_margin(trained: DpoResult) -> None:
    steps = trained.steps
    assert len(steps) == 4 * math.ceil(8 / 6)
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0] - 0.1
    assert steps["margin"].iloc[-1] > 0.2


def test_the_loss_is_a_brute_force_computation(
    dpo_recipe: DpoRecipe, prompts: tuple[AuthoredPrompt, ...]
) -> None:
    """What the second step reports is the DPO loss of the policy that the first step left."""
    one_batch = replace(dpo_recipe, pairs_per_step=4, epochs=2)
    steps = train_dpo(one_batch, prompts[:4]).steps
    after_one = train_dpo_steps(one_batch, prompts[:4], 1)
    rng = np.random.default_rng(one_batch.seed)
    pairs = chosen_pairs(after_one, prompts[:4], 1, rng)
    texts = {response_tokens(after_one, p.good): p for p in prompts[:4]}
    losses = []
    for pair in pairs:
        prompt = texts[pair.chosen]
        flawed = next(
            f for f in prompt.flawed if response_tokens(after_one, f.response) == pair.rejected
        )
        gap = slow_ratio(after_one, prompt.prompt, prompt.good) - slow_ratio(
            after_one, prompt.prompt, flawed.response
        )
        losses.append(math.log1p(math.exp(-one_batch.beta * gap)))
    assert steps["loss"].iloc[1] == pytest.approx(np.mean(losses), abs=1e-4)


def train_dpo_steps(recipe: DpoRecipe, prompts: tuple[AuthoredPrompt, ...], n: int) -> Policy:
    """The policy after the first n steps of a run, stopped from outside."""

    class EnoughError(Exception):
        pass

    kept: list[Policy] = []

    def stop(line: str) -> None:
        if line.startswith(f"step {n} "):
            raise EnoughError

    from core.training.dpo import train

    original = train.load_policy

    def kept_policy(*arguments: object, **options: object) -> Policy:
        policy = original(*arguments, **options)  # type: ignore[arg-type]
        kept.append(policy)
        return policy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load_policy", kept_policy)
        with pytest.raises(EnoughError):
            train_dpo(recipe, prompts, stop)
    return kept[0]


def test_held_out_rewards_are_slow_plain_ones(
    trained: DpoResult, prompts: tuple[AuthoredPrompt, ...]
) -> None:
    table = held_out_margins(trained.policy, prompts[8:10], 0.5)
    assert len(table) == sum(len(prompt.flawed) for prompt in prompts[8:10])
    for prompt in prompts[8:10]:
        row = table[table["prompt_id"] == prompt.id].iloc[0]
        wanted = 0.5 * slow_ratio(trained.policy, prompt.prompt, prompt.good)
        assert row["sum_chosen"] == pytest.approx(wanted, abs=1e-4)
        assert row["mean_chosen"] == pytest.approx(row["sum_chosen"] / row["tokens_chosen"])
        wanted = 0.5 * slow_ratio(trained.policy, prompt.prompt, prompt.flawed[0].response)
        assert row["sum_rejected"] == pytest.approx(wanted, abs=1e-4)


def test_what_is_published_is_read_again_exactly(
    trained: DpoResult,
    dpo_recipe: DpoRecipe,
    prompts: tuple[AuthoredPrompt, ...],
    tmp_path: Path,
) -> None:
    publish(dpo_recipe, trained, tmp_path)
    table = measure(tmp_path, prompts[8:10])
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["steps"] == len(trained.steps)
    gap = table["sum_chosen"] - table["sum_rejected"]
    assert record["held_out_sum"]["accuracy"] == pytest.approx(float((gap > 0).mean()))
    assert len(pd.read_csv(tmp_path / "held_out.csv")) == len(table)
    base = {"kind": "local", "path": dpo_recipe.base}
    card = RewardModelCard.model_validate(
        {
            "id": "tiny",
            "source": {
                "kind": "adapter",
                "adapter": {"kind": "local", "path": str(tmp_path)},
                "base": base,
            },
            "family": "implicit",
            "implicit": {"reference": base, "beta": 0.5},
            "input": {"form": "raw-template", "template": PROMPT_TEMPLATE},
            "dtype": "float32",
            "max_length": 256,
        }
    )
    model = load_implicit(card, device="cpu")
    for prompt in prompts[8:10]:
        told = make_conversation(prompt.prompt, prompt.good)
        row = table[table["prompt_id"] == prompt.id].iloc[0]
        reward = model.conversation_rewards([told]).rewards[0]
        assert reward == pytest.approx(row["sum_chosen"], abs=1e-4)


def test_a_recipe_survives_its_file(dpo_recipe: DpoRecipe, tmp_path: Path) -> None:
    write_dpo_recipe(dpo_recipe, tmp_path / "recipe.yaml")
    assert read_dpo_recipe(tmp_path / "recipe.yaml") == dpo_recipe
    (tmp_path / "recipe.yaml").write_text("name: x\nbeat: 0.1\n")
    with pytest.raises(SettingsError, match="unknown field beat"):
        read_dpo_recipe(tmp_path / "recipe.yaml")
    with pytest.raises(SettingsError, match="beta must be above 0"):
        DpoRecipe("x", beta=0)
