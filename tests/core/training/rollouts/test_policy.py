import pytest
import torch
from transformers import LlamaForCausalLM

from core.training.rollouts import tokens
from core.training.rollouts.policy import (
    Pretraining,
    new_policy,
    own_tokens,
    policy_path,
    pretrained_policy,
    pretraining_steps,
)
from core.training.rollouts.sampling import continuations
from tests.core.training.rollouts.conftest import TINY


def test_a_policy_of_the_recorded_runs_has_under_a_million_parameters() -> None:
    policy = new_policy(Pretraining({"sum-2": 1.0}, steps=0))
    assert 500_000 < sum(each.numel() for each in policy.parameters()) < 1_000_000


def test_pretraining_is_done_once_and_then_read() -> None:
    told: list[int] = []
    first = pretrained_policy(TINY, lambda done, _total, _what: told.append(done))
    again = pretrained_policy(TINY, lambda done, _total, _what: told.append(done))
    assert told == [1, 2, 3]
    assert policy_path(TINY).is_file()
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_pretraining_learns() -> None:
    recipe = Pretraining({"sum-2": 1.0}, steps=40, batch=32, hidden=32, layers=1, heads=2)
    policy = new_policy(recipe)
    problem = [tokens.BOS_ID, *tokens.encode("12+34="), *tokens.encode("46")]

    def loss() -> float:
        ids = torch.tensor([problem])
        with torch.no_grad():
            return float(policy(ids, labels=ids).loss)

    before = loss()
    assert list(pretraining_steps(policy, recipe))[-1] == 40
    assert loss() < before - 0.5


def test_a_tools_response_is_not_the_policys_own() -> None:
    text = f"{tokens.CALL}1+1{tokens.END_CALL}{tokens.RESPONSE}2{tokens.END_RESPONSE}"
    own = own_tokens(tokens.encode(text + f"{tokens.ANSWER}2{tokens.END_ANSWER}"))
    assert own == [1] * 5 + [0] * 3 + [1] * 3


def test_log_probability_and_entropy_equal_those_of_a_plain_forward(
    policy: LlamaForCausalLM,
) -> None:
    prefixes = [[tokens.BOS_ID, *tokens.encode(text)] for text in ("1+2=", "123+456=")]
    generator = torch.Generator().manual_seed(0)
    drawn = continuations(policy, prefixes, max_new_tokens=6, generator=generator)
    for prefix, each in zip(prefixes, drawn, strict=True):
        with torch.no_grad():
            logits = policy(torch.tensor([prefix + each.ids])).logits[0, len(prefix) - 1 : -1]
        scores = torch.log_softmax(logits, -1)
        expected = scores[range(len(each.ids)), each.ids].sum()
        entropy = -(scores.exp() * scores).sum()
        assert each.log_probability == pytest.approx(float(expected), abs=1e-4)
        assert each.entropy == pytest.approx(float(entropy), abs=1e-4)


def test_samples_follow_the_policys_distribution(policy: LlamaForCausalLM) -> None:
    prefix = [tokens.BOS_ID, *tokens.encode("1+2=")]
    with torch.no_grad():
        expected = torch.softmax(policy(torch.tensor([prefix])).logits[0, -1], -1)
    generator = torch.Generator().manual_seed(1)
    n = 4000
    drawn = continuations(policy, [prefix] * n, max_new_tokens=1, generator=generator)
    first = torch.tensor([each.ids[0] for each in drawn])
    counts = torch.bincount(first, minlength=len(tokens.TOKENS))
    assert float((counts / n - expected).abs().sum()) < 0.12


def test_a_continuation_ends_at_a_stop_or_at_the_limit(policy: LlamaForCausalLM) -> None:
    generator = torch.Generator().manual_seed(2)
    prefix = [tokens.BOS_ID, *tokens.encode("1+2=")]
    for each in continuations(policy, [prefix] * 50, max_new_tokens=4, generator=generator):
        assert each.ended == (each.ids[-1] == tokens.EOS_ID)
        assert tokens.EOS_ID not in each.ids[:-1]
        assert each.ended or len(each.ids) == 4
