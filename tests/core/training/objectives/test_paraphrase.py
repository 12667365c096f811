import math

import pytest
import torch

from core.training.objectives import batch_texts, bradley_terry, paraphrase_consistent, reward_batch
from tests.core.training.objectives.batches import group


def batch_of(rewards, paraphrases):
    one = group(
        2, paraphrase=tuple(None if r is None else (9, i) for i, r in enumerate(paraphrases))
    )
    extra = [r for r in paraphrases if r is not None]
    return reward_batch(torch.tensor([*rewards, *extra], dtype=torch.float64), [one])


def test_a_margin_of_one_and_a_change_of_0_4_worked_out_by_hand():
    for paraphrases in ([1.4, None], [1.4, 0.4], [0.6, 0.4]):
        loss = paraphrase_consistent(coefficient=1.0)(batch_of([1.0, 0.0], paraphrases))
        assert loss.total.item() == pytest.approx(0.473262, abs=1e-6)
        assert loss.penalty.item() == pytest.approx(0.16)


def test_the_coefficient_weighs_the_squared_change():
    batch = batch_of([1.0, 0.0], [1.4, 0.2])
    # Changes .4 and .2: the mean square is (.16 + .04) / 2 = .1.
    assert paraphrase_consistent(coefficient=5.0)(batch).penalty.item() == pytest.approx(0.5)


def test_without_any_paraphrase_the_likelihood_remains():
    batch = batch_of([1.0, 0.0], [None, None])
    loss = paraphrase_consistent(coefficient=5.0)(batch)
    assert loss.total.item() == pytest.approx(bradley_terry()(batch).total.item())
    assert loss.likelihood.item() == pytest.approx(math.log(1 + math.exp(-1.0)))


def test_paraphrases_are_read_after_all_texts_and_belong_to_theirs():
    groups = [group(2, paraphrase=(None, (9, 1))), group(3, paraphrase=((8, 0), None, (8, 2)))]
    texts = batch_texts(groups)
    assert texts[5:] == [(9, 1), (8, 0), (8, 2)]
    batch = reward_batch(torch.arange(8.0), groups)
    assert batch.rewards.tolist() == [0, 1, 2, 3, 4]
    assert batch.paraphrased.tolist() == [1, 2, 4]
    assert batch.paraphrase_rewards.tolist() == [5, 6, 7]


def test_gradient_pulls_a_text_and_its_paraphrase_together():
    outputs = torch.tensor([1.0, 0.0, 1.4], requires_grad=True)
    batch = reward_batch(outputs, [group(2, paraphrase=((9, 0), None))])
    paraphrase_consistent(coefficient=1.0)(batch).penalty.backward()
    assert outputs.grad.tolist() == pytest.approx([-0.8, 0.0, 0.8])
