"""One DPO update: the loss against the vectors, what is measured against plain computations."""

import math
from pathlib import Path

import pytest
import torch

from core.errors import SettingsError
from core.training.policy import AdapterShape, Policy, load_policy
from core.training.self_rewarding import SelfRewardingRecipe
from core.training.self_rewarding.update import TokenPair, dpo_losses, update
from tests.core.training.policy.conftest import PROMPT_TEMPLATE


@pytest.fixture
def policy(tiny_base: Path) -> Policy:
    """With a fresh adapter."""
    shape = AdapterShape(rank=2, first_layer=1)
    return load_policy(
        tiny_base, adapter=shape, prompt_template=PROMPT_TEMPLATE, dtype="float32",
        device=torch.device("cpu"),
    )  # fmt: skip


def pairs_of(policy: Policy) -> list[TokenPair]:
    prompt = policy.encode_prompt("Two plus two?")
    return [
        TokenPair(prompt, (20, 31, 7), (44, 45, 46, 47)),
        TokenPair(prompt, (50,), (61, 62)),
        TokenPair(policy.encode_prompt("Hi"), (70, 71), (80, 81, 82)),
    ]


def test_losses_are_the_vectors() -> None:
    policy = torch.tensor([[-10.0, -15.0], [-3.0, -3.0]])
    reference = torch.tensor([[-12.0, -14.0], [-3.0, -3.0]])
    losses = dpo_losses(policy, reference, 0.1)
    assert losses.tolist() == pytest.approx([0.554355, math.log(2)], abs=1e-6)
    weights = 0.1 * (1 - (-losses).exp())
    assert weights.tolist() == pytest.approx([0.042556, 0.05], abs=1e-6)


def test_gradient_cosine_and_distance_are_those_before_the_update(
    policy: Policy, recipe: SelfRewardingRecipe
) -> None:
    pairs = pairs_of(policy)
    weights = policy.adapter_parameters()
    expected = []
    for pair in pairs:  # beta/2 times the difference of the two gradients
        reading = policy.read([pair.prompt] * 2, [pair.chosen, pair.rejected])
        difference = reading.log_probabilities[0] - reading.log_probabilities[1]
        gradient = torch.autograd.grad(difference, weights, retain_graph=True)
        norm = torch.cat([each.flatten() for each in gradient]).norm()
        one, other = reading.mean_states.detach().double().numpy()
        cosine = one @ other / math.sqrt((one @ one) * (other @ other))
        before = reading.log_probabilities.detach().tolist()
        distance = math.dist(one, other)
        expected.append((recipe.beta / 2 * float(norm), cosine, distance, before))
    records = update(policy, pairs, recipe, seed=[0])
    for record, (norm, cosine, distance, before) in zip(records, expected, strict=True):
        assert record.gradient_norm == pytest.approx(norm, rel=1e-4)
        assert record.cosine == pytest.approx(cosine, abs=1e-5)
        assert record.distance == pytest.approx(distance, rel=1e-4)
        found = [record.policy_chosen_before, record.policy_rejected_before]
        assert found == pytest.approx(before, abs=1e-3)


def test_an_update_moves_the_policy_from_rejected_to_chosen(
    policy: Policy, recipe: SelfRewardingRecipe
) -> None:
    told: list[str] = []
    pairs = pairs_of(policy)
    longer = recipe.with_changes(epochs=4)
    records = update(policy, pairs, longer, seed=[0], progress=told.append)
    for record in records:
        assert record.losses[0] == pytest.approx(math.log(2))
        assert len(record.losses) == 4
        chosen = record.policy_chosen_after - record.policy_chosen_before
        rejected = record.policy_rejected_after - record.policy_rejected_before
        assert chosen - rejected > 0
    assert sum(r.losses[-1] for r in records) < 3 * math.log(2) - 0.05
    assert [line.split(",")[0] for line in told] == [
        f"pass {n} of 4 over 3 pairs" for n in (2, 3, 4)
    ]
    with torch.no_grad():
        now = policy.read([pair.prompt for pair in pairs], [pair.chosen for pair in pairs])
    after = [record.policy_chosen_after for record in records]
    assert now.log_probabilities.tolist() == pytest.approx(after, abs=1e-3)


def test_the_second_loss_is_that_of_the_first_steps_policy(
    policy: Policy, recipe: SelfRewardingRecipe
) -> None:
    pairs = pairs_of(policy)[:1]
    two = update(policy, pairs, recipe, seed=[0], after=False)[0]
    assert math.isnan(two.policy_chosen_after)
    policy.load_adapter_state(
        {k: v * 0 for k, v in policy.adapter_state().items() if "lora_B" in k}
    )
    one = update(policy, pairs, recipe.with_changes(epochs=1), seed=[0])[0]
    moved = (one.policy_chosen_after - one.policy_chosen_before) - (
        one.policy_rejected_after - one.policy_rejected_before
    )
    if two.gradient_norm == pytest.approx(one.gradient_norm):
        assert two.losses[1] == pytest.approx(math.log1p(math.exp(-recipe.beta * moved)), abs=1e-4)


def test_identical_responses_have_no_gradient(policy: Policy, recipe: SelfRewardingRecipe) -> None:
    prompt = policy.encode_prompt("Hi")
    before = policy.adapter_state()
    (record,) = update(policy, [TokenPair(prompt, (20, 21), (20, 21))], recipe, seed=[0])
    assert record.gradient_norm == pytest.approx(0, abs=1e-6)
    assert record.cosine == pytest.approx(1, abs=1e-6)
    assert record.losses == pytest.approx([math.log(2)] * 2, abs=1e-5)
    assert before.keys() == policy.adapter_state().keys()


def test_no_pairs_change_nothing(policy: Policy, recipe: SelfRewardingRecipe) -> None:
    before = policy.adapter_state()
    assert update(policy, [], recipe, seed=[0]) == []
    assert all(torch.equal(v, before[k]) for k, v in policy.adapter_state().items())


def test_a_loss_that_is_not_finite_is_told(policy: Policy, recipe: SelfRewardingRecipe) -> None:
    with torch.no_grad():
        policy.network.lm_head.weight[20] = float("nan")
    with pytest.raises(SettingsError, match="not finite"):
        update(policy, pairs_of(policy), recipe, seed=[0])
