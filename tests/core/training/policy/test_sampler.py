"""What is drawn has the probability it is said to have, and does not depend on the batch."""

from collections import Counter

import numpy as np
import pytest
import torch

from core.errors import SettingsError
from core.models.sampling import _inverse
from core.training.policy import Policy, Sampling, draw

PROMPTS = [
    "Hi",
    "What is the capital of France, and on which river is it?",
    "Two plus two",
    "Go on",
]
HOW = Sampling(temperature=1.0, max_new_tokens=24)


@pytest.fixture
def policy(plain_policy: Policy) -> Policy:
    """The plain policy, for tests that need nothing else."""
    return plain_policy


def test_log_probabilities_are_those_of_a_plain_forward(policy: Policy) -> None:
    drawn = draw(policy, PROMPTS, 12, HOW, seed=5)
    assert [(each.prompt, each.sample) for each in drawn] == [
        (p, s) for p in range(4) for s in range(12)
    ]
    prompts = [policy.encode_prompt(PROMPTS[each.prompt]) for each in drawn]
    with torch.no_grad():
        expected = policy.read(prompts, [each.tokens for each in drawn]).log_probabilities
    found = torch.tensor([each.log_probability for each in drawn])
    assert torch.allclose(found, expected, atol=2e-3)
    lengths = {len(each.tokens) for each in drawn}
    assert len(lengths) > 1, "no row ended early, so rows leaving the batch was not tried"


def test_a_response_ends_with_its_end_token_or_is_cut(policy: Policy) -> None:
    drawn = draw(policy, PROMPTS, 12, HOW, seed=5)
    for each in drawn:
        assert not set(each.tokens[:-1]) & policy.end_ids
        assert each.truncated == (each.tokens[-1] not in policy.end_ids)
        assert not each.truncated or len(each.tokens) == HOW.max_new_tokens
    assert {each.truncated for each in drawn} == {True, False}


def test_the_adapter_takes_part_in_the_draw(trained_policy: Policy) -> None:
    drawn = draw(trained_policy, PROMPTS[:2], 4, HOW, seed=1)
    prompts = [trained_policy.encode_prompt(PROMPTS[each.prompt]) for each in drawn]
    with torch.no_grad():
        expected = trained_policy.read(prompts, [each.tokens for each in drawn]).log_probabilities
    found = torch.tensor([each.log_probability for each in drawn])
    assert torch.allclose(found, expected, atol=2e-3)
    with trained_policy.untrained():
        untrained = draw(trained_policy, PROMPTS[:2], 4, HOW, seed=1)
    assert [each.tokens for each in untrained] != [each.tokens for each in drawn]


def test_the_size_of_the_batch_changes_nothing(policy: Policy) -> None:
    together = draw(policy, PROMPTS, 4, HOW, seed=7)
    apart = draw(policy, PROMPTS, 4, Sampling(max_new_tokens=24, rows=4), seed=7)
    assert [each.tokens for each in together] == [each.tokens for each in apart]
    other = draw(policy, PROMPTS, 4, HOW, seed=8)
    assert [each.tokens for each in together] != [each.tokens for each in other]


def test_entropy_is_the_mean_over_tokens_at_temperature_one(policy: Policy) -> None:
    (each,) = draw(policy, PROMPTS[:1], 1, Sampling(temperature=0.3, max_new_tokens=6), seed=2)
    prompt = policy.encode_prompt(PROMPTS[0])
    with torch.no_grad():
        logits = policy.network(torch.tensor([[*prompt, *each.tokens]])).logits[0].double()
    at = logits[len(prompt) - 1 : -1].softmax(-1)
    expected = float(-(at * at.log()).sum(-1).mean())
    assert each.entropy == pytest.approx(expected, abs=1e-3)


def test_progress_counts_responses(policy: Policy) -> None:
    told: list[tuple[int, int]] = []
    how = Sampling(max_new_tokens=2, rows=4)
    draw(policy, PROMPTS, 2, how, seed=0, progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 8), (8, 8)]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.7), (2.0, 0.9)])
def test_tokens_come_as_often_as_the_tempered_nucleus_says(
    temperature: float, top_p: float
) -> None:
    logits = torch.tensor([2.0, 0.5, 1.0, -1.0, 0.0])
    tempered = (logits / temperature).softmax(-1).numpy()
    order = np.argsort(-tempered)
    kept, total = [], 0.0
    for token in order:  # the smallest set of the likeliest that reaches top_p
        if total >= top_p:
            break
        kept.append(int(token))
        total += tempered[token]
    n = 20_000
    uniforms = torch.tensor((np.arange(n) + 0.5) / n)
    drawn = _inverse(logits.expand(n, -1), uniforms, Sampling(temperature, top_p))
    counts = Counter(drawn.tolist())
    assert set(counts) == set(kept)
    for token in kept:
        assert counts[token] / n == pytest.approx(tempered[token] / total, abs=1e-3)


def test_a_nucleus_wider_than_the_short_list_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.sampling.TOP_P_SORTED", 2)
    logits = torch.zeros(1, 10)
    uniforms = torch.tensor((np.arange(1000) + 0.5) / 1000)
    drawn = _inverse(logits.expand(1000, -1), uniforms, Sampling(top_p=0.75))
    assert len(set(drawn.tolist())) == 8


@pytest.mark.parametrize(
    "changes", [{"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_new_tokens": 0}]
)
def test_impossible_sampling_is_told(changes: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="Sampling"):
        Sampling(**changes)  # type: ignore[arg-type]
