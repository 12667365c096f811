import dataclasses
import math

import numpy as np
import pytest
import torch

from core.errors import SettingsError
from core.training.annotations import annotate
from core.training.classifier import TrainableClassifier
from core.training.groups import template_encoder
from core.training.objectives import objective_of
from core.training.reward_model import RewardTrainer, checkpoint_positions, rate_share
from tests import tiny

OBJECTIVES = {
    "invariant": {"attribute": "characters", "bins": 2},
    "odin": {"attribute": "characters"},
    "paraphrase-consistent": {"paraphrases": ("double-spaces",), "coefficient": 0.5},
}


class KilledError(Exception):
    """Stands for the process being killed."""


@pytest.fixture
def make_trainer(recipe, tiny_base, groups):
    def make(work=None, report=None, **changes):
        changed = dataclasses.replace(recipe, **changes)
        classifier = TrainableClassifier(
            changed, tiny_base, device=torch.device("cpu"), compute_dtype=torch.float32
        )
        n_validation = round(changed.validation_share * len(groups))
        encode = template_encoder(tiny.chat_tokenizer(), changed.template, max_length=128)
        fit, validation = annotate(groups[n_validation:], groups[:n_validation], changed, encode)
        states = classifier.frozen_states([*fit, *validation])
        return RewardTrainer(
            classifier,
            states,
            fit,
            validation,
            objective=objective_of(changed),
            work=work,
            report=report,
        )

    return make


def killer(at_step):
    def report(progress):
        if progress.step == at_step:
            raise KilledError

    return report


def test_training_lowers_the_loss_and_ranks_held_back_prompts(make_trainer):
    result = make_trainer(epochs=12, head_learning_rate=0.1).run()
    first, last = result.validations[0], result.validations[-1]
    assert last.training_loss < 0.5 * first.training_loss
    assert last.loss < first.loss
    assert last.accuracy >= 0.75


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_and_records_its_own_term(make_trainer, objective):
    trainer = make_trainer(objective=objective, **OBJECTIVES[objective])
    result = trainer.run()
    assert all(math.isfinite(v.loss) and math.isfinite(v.penalty) for v in result.validations)
    assert any(v.penalty != 0 for v in result.validations)
    last = result.validations[-1]
    batch = trainer.score(trainer.validation)
    assert float(trainer.objective(batch).penalty) == pytest.approx(last.penalty)
    for parameter in [*trainer.classifier.head_parameters()]:
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_paraphrase_consistency_brings_paraphrases_closer(make_trainer):
    def change(coefficient):
        trainer = make_trainer(
            objective="paraphrase-consistent",
            paraphrases=("double-spaces",),
            coefficient=coefficient,
            epochs=8,
            head_learning_rate=0.1,
        )
        trainer.run()
        batch = trainer.score(trainer.fit)
        gaps = batch.paraphrase_rewards - batch.rewards[batch.paraphrased]
        return float(gaps.square().mean() / batch.rewards.var())

    assert change(20.0) < change(0.0) / 2


def test_odin_leaves_length_to_the_second_head(make_trainer):
    trainer = make_trainer(
        objective="odin", attribute="characters", epochs=10, head_learning_rate=0.1
    )
    trainer.run()
    batch = trainer.score(trainer.fit)
    lengths = [text.value for text in batch.texts]
    to_second = np.corrcoef(lengths, batch.nuisance.numpy())[0, 1]
    to_reward = np.corrcoef(lengths, batch.rewards.numpy())[0, 1]
    assert to_second > 0.8
    assert abs(to_reward) < 0.4


def test_a_second_head_is_not_among_the_published_weights(make_trainer):
    plain, odin = make_trainer(), make_trainer(objective="odin", attribute="characters")
    assert set(odin.classifier.trained_state()) == set(plain.classifier.trained_state())
    assert odin.classifier.head_weights().shape == (2, 32)
    assert plain.classifier.head_weights() is None


def test_a_loss_that_is_not_finite_stops_the_run_with_advice(make_trainer):
    trainer = make_trainer(head_learning_rate=1e30, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(SettingsError, match=r"loss of step \d+ is not finite.*Lower"):
        trainer.run()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_killed_run_of_any_objective_resumes_to_the_same_weights(
    make_trainer, tmp_path, objective
):
    options = {"objective": objective, **OBJECTIVES[objective]}
    whole = make_trainer(**options).run()
    with pytest.raises(KilledError):
        make_trainer(work=tmp_path, report=killer(5), **options).run()
    resumed = make_trainer(work=tmp_path, **options).run()
    assert resumed.validations == whole.validations
    for step, state in whole.snapshots.items():
        for name, tensor in state.items():
            assert torch.equal(resumed.snapshots[step][name], tensor), name


def test_a_state_saved_before_there_was_a_penalty_is_resumed(make_trainer, tmp_path):
    with pytest.raises(KilledError):
        make_trainer(work=tmp_path, report=killer(4)).run()
    content = torch.load(tmp_path / "state.pt", weights_only=True)
    del content["second_head"]
    for validation in content["run"]["validations"]:
        del validation["penalty"]
    torch.save(content, tmp_path / "state.pt")
    seen = []
    make_trainer(work=tmp_path, report=lambda p: seen.append(p.step)).run()
    assert seen[0] == 5


@pytest.mark.parametrize("killed_at", [3, 5])
def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    make_trainer, tmp_path, killed_at
):
    whole = make_trainer().run()
    # 9 prompts in threes with two validations an epoch: state is saved after steps 2, 4, 6, ...
    with pytest.raises(KilledError):
        make_trainer(work=tmp_path, report=killer(killed_at)).run()
    seen = []
    resumed = make_trainer(work=tmp_path, report=lambda p: seen.append(p.step)).run()
    assert seen[0] == killed_at - killed_at % 2 + 1
    assert resumed.best_step == whole.best_step
    assert resumed.validations == whole.validations
    for step, state in whole.snapshots.items():
        for name, tensor in state.items():
            assert torch.equal(resumed.snapshots[step][name], tensor), name


def test_a_state_of_another_recipe_is_not_resumed(make_trainer, tmp_path):
    with pytest.raises(KilledError):
        make_trainer(work=tmp_path, report=killer(4)).run()
    seen = []
    make_trainer(work=tmp_path, report=lambda p: seen.append(p.step), learning_rate=2e-2).run()
    assert seen[0] == 1


def test_training_stops_when_validation_no_longer_improves(make_trainer):
    # A rate this high overshoots at once, so the first validations stay the best.
    result = make_trainer(epochs=40, learning_rate=3.0, head_learning_rate=3.0, patience=3).run()
    losses = [validation.loss for validation in result.validations]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert result.best_step == result.validations[best].step
    assert max(result.snapshots) == result.best_step


def test_without_validation_prompts_the_last_step_is_the_result(make_trainer):
    result = make_trainer(validation_share=0.0, patience=2).run()
    assert result.best_step == 4 * math.ceil(12 / 3)
    assert all(math.isnan(validation.loss) for validation in result.validations)


def test_the_best_and_the_number_of_points_asked_for_are_kept(make_trainer):
    result = make_trainer(validation_share=0.0, checkpoints=5).run()
    assert len(result.snapshots) == 5
    assert list(result.snapshots) == sorted(result.snapshots)


def test_kept_points_are_denser_at_the_start():
    # (0, 1/4, 1/2, 3/4, 1) to the power 1.5, times 16: 0, 2, 5.66, 10.39, 16.
    assert checkpoint_positions(17, 5) == [0, 2, 6, 10, 16]
    assert checkpoint_positions(3, 5) == [0, 1, 2]
    assert checkpoint_positions(9, 1) == [8]


def test_learning_rate_rises_then_falls_to_zero():
    shares = [rate_share(step, 100, warmup_share=0.1) for step in range(101)]
    assert shares[0] == pytest.approx(1 / 11)
    assert shares[10] == pytest.approx(1.0)
    assert shares[55] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0, abs=1e-12)
    assert shares[:11] == sorted(shares[:11])
    assert shares[10:] == sorted(shares[10:], reverse=True)


def test_progress_counts_steps_and_says_what_is_left(make_trainer):
    seen = []
    make_trainer(report=seen.append).run()
    assert [progress.step for progress in seen] == list(range(1, 13))
    assert all(progress.n_steps == 12 for progress in seen)
    assert all(progress.tokens_per_s > 0 for progress in seen)
    assert seen[-1].remaining_s == 0
    assert [p.step for p in seen if p.validation] == [2, 4, 6, 8, 10, 12]
