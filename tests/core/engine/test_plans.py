"""What a plan costs is counted before anything is scored, and what was scored is kept."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.engine.cache import RewardCache
from core.engine.plans import NOT_SCORED, PlanRun, plan_cost, score_conversations
from core.engine.service import RewardService
from core.engine.templating import encode
from core.models.base import TokenRewardModel
from core.schema import make_conversation
from tests.core.engine.conftest import CountingModel, texts

TinyModel = Callable[[str], TokenRewardModel]
MakeService = Callable[..., RewardService]


def one_prompt(n_responses: int) -> list:
    prompt = "The quick brown fox jumps over the lazy dog, again and again and again. " * 3
    return [make_conversation(prompt, f"Two plus two is {n}.") for n in range(n_responses)]


def test_cost_counts_repeats_shared_beginnings_and_known_rewards(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    model = tiny_model("llama")
    service = RewardService(cache=RewardCache(tmp_path / "r.sqlite", 10**8), budget_bytes=10**12)
    service.register(model)
    conversations = one_prompt(6)
    lengths = [len(encode(model, c).sequence) for c in conversations]
    cost = plan_cost(service, model.card.id, [*conversations, conversations[0]])
    assert (cost.n_conversations, cost.n_distinct, cost.n_known) == (7, 6, 0)
    assert cost.n_tokens == sum(lengths) + lengths[0]
    # The prompt is read once, not six times.
    assert max(lengths) <= cost.n_read < 0.4 * sum(lengths)
    assert cost.seconds(100.0) == cost.n_read / 100
    assert np.isnan(cost.seconds(0.0))

    service.score(model.card.id, conversations[:4])
    later = plan_cost(service, model.card.id, conversations)
    assert later.n_known == 4
    assert later.n_read < cost.n_read
    service.close()


def test_rewards_come_back_in_the_order_of_the_plan(make_service: MakeService) -> None:
    service = make_service(CountingModel())
    frame = score_conversations(service, "length", [*texts(3), *texts(2)])
    assert frame["reward"].tolist() == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert frame["error"].tolist() == [""] * 5


def test_a_stopped_run_keeps_what_it_has_and_a_new_one_continues(
    make_service: MakeService,
) -> None:
    gate = threading.Event()
    model = CountingModel(seconds=0.002, gate=gate)
    service = make_service(model)
    run = PlanRun(service, "length", texts(200))
    assert model.started.wait(10)
    run.job.cancel()
    gate.set()
    assert run.job.wait(10)
    rewards, errors = run.rewards()
    n_done = int(np.isfinite(rewards).sum())
    assert n_done < 200
    assert errors.count(NOT_SCORED) == 200 - n_done
    again = score_conversations(service, "length", texts(200))
    assert again["reward"].tolist() == [float(n) for n in range(1, 201)]


def test_a_model_that_does_not_load_says_so_in_every_row(make_service: MakeService) -> None:
    run = PlanRun(make_service(), "no-such-model", texts(2))
    assert run.job.wait(10)
    rewards, errors = run.rewards()
    assert np.isnan(rewards).all()
    assert all("no-such-model" in error for error in errors)


def test_progress_is_told_until_the_end(make_service: MakeService) -> None:
    seen: list[int] = []
    model = CountingModel(seconds=0.05)
    score_conversations(
        make_service(model), "length", texts(12), progress=lambda p: seen.append(p.done)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 12


def test_an_interrupted_call_stops_the_scoring(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.05)
    service = make_service(model)

    def interrupt(_progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_conversations(service, "length", texts(100), progress=interrupt)
    assert len(model.seen) < 100
