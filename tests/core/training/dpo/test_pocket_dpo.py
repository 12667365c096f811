"""The shipped policy: its files agree with each other, with its model card and with the model."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from core.labs.implicit.length import length_report, responses_of
from core.models import embedded
from core.models.card import AdapterSource, read_card
from core.paths import data_folder
from core.schema import make_conversation
from core.stats import clustered_mean
from core.training.dpo import read_dpo_recipe
from core.training.preferences import read_preferences, split_prompts

FOLDER = data_folder() / "adapters" / "pocket-dpo"
CARD = data_folder() / "cards" / "pocket-dpo.yaml"


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "held_out.csv")


@pytest.fixture(scope="module")
def told() -> str:
    return " ".join((FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8").split())


def test_the_adapter_is_small_and_its_card_leads_to_it() -> None:
    assert (FOLDER / "adapter_model.safetensors").stat().st_size < 3e6
    card = read_card(CARD)
    assert isinstance(card.source, AdapterSource)
    assert card.source.adapter.path == FOLDER.resolve()  # type: ignore[union-attr]
    config = (FOLDER / "adapter_config.json").read_text()
    assert f'"base_model_name_or_path": "{embedded.HUB_REPO}"' in config


def test_card_and_recipe_say_the_same() -> None:
    card, recipe = read_card(CARD), read_dpo_recipe(FOLDER / "recipe.yaml")
    assert card.implicit is not None
    assert card.implicit.beta == recipe.beta
    assert card.input.template is not None  # Jinja reads \n in a string as the line break it is
    assert card.input.template.replace("\\n", "\n") == recipe.prompt_template
    assert card.dtype == "float32"  # bfloat16 would drown the reward in rounding


def test_held_out_pairs_are_the_held_out_ones(pairs: pd.DataFrame) -> None:
    held_out = split_prompts(read_preferences()).held_out
    wanted = [(prompt.id, flawed.flaw) for prompt in held_out for flawed in prompt.flawed]
    assert list(zip(pairs["prompt_id"], pairs["flaw"], strict=True)) == wanted


def test_the_record_and_the_model_card_give_the_files_numbers(
    pairs: pd.DataFrame, told: str
) -> None:
    record = json.loads((FOLDER / "training.json").read_text())
    for rule in ("sum", "mean"):
        gap = pairs[f"{rule}_chosen"] - pairs[f"{rule}_rejected"]
        assert record[f"held_out_{rule}"]["accuracy"] == pytest.approx(float((gap > 0).mean()))
        own = record[f"held_out_{rule}"]
        assert f"{own['accuracy']:.1%}" in told
        assert f"{own['low']:.1%} to {own['high']:.1%}" in told
    right = (pairs["sum_chosen"] > pairs["sum_rejected"]).astype(float)
    for flaw, part in pairs.groupby("flaw"):
        found = clustered_mean(
            right[part.index], list(part["prompt_id"]), rng=np.random.default_rng(0)
        )
        row = f"{flaw} | {len(part)} | {found.value:.1%} | {found.low:.1%} to {found.high:.1%}"
        assert row in told, row
    gap = pairs["sum_chosen"] - pairs["sum_rejected"]
    assert f"{np.log1p(np.exp(-gap)).mean():.3f} on the held-out pairs" in told
    assert f"{record['steps']} steps" in told


def test_the_model_card_says_of_length_what_the_lab_says(pairs: pd.DataFrame, told: str) -> None:
    report = length_report(responses_of(pairs), rng=np.random.default_rng(0))
    assert all(each.per_token.low < 0 < each.per_token.high for each in report.effects)
    longer = report.effects[0].prefers_longer
    match = re.search(r"sum in ([\d.]+)% of (\d+) pairs \(([\d.]+)% to ([\d.]+)%\)", told)
    assert match is not None
    assert [float(each) for each in match.groups()] == pytest.approx(
        [100 * longer.value, longer.n, 100 * longer.low, 100 * longer.high], abs=0.06
    )


@pytest.mark.embedded
def test_the_model_gives_the_recorded_rewards(pairs: pd.DataFrame) -> None:
    from core.models.implicit import ImplicitRewardModel
    from core.models.loading import load_card_model

    model = load_card_model(read_card(CARD), device="cpu")
    assert isinstance(model, ImplicitRewardModel)
    prompts = {prompt.id: prompt for prompt in split_prompts(read_preferences()).held_out}
    some = pairs.drop_duplicates("prompt_id").iloc[[0, 40, 80]]
    texts = [make_conversation(prompts[i].prompt, prompts[i].good) for i in some["prompt_id"]]
    rewards = [model.conversation_rewards([text]).rewards[0] for text in texts]
    np.testing.assert_allclose(rewards, some["sum_chosen"], atol=2e-4)
