"""The service: everyone gets their own answers, once computed, in the right order of urgency."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.engine.jobs import Progress
from core.engine.service import RewardService
from core.errors import ModelLoadError, ScoringError
from core.models.base import Capability, ModelOutput
from core.models.card import Objective, RewardModelCard, RewardPart
from core.schema import Conversation, make_conversation
from tests.core.engine.conftest import CountingModel, texts

MakeService = Callable[..., RewardService]


def test_rewards_come_in_the_callers_order(make_service: MakeService) -> None:
    service = make_service(CountingModel())
    lengths = [5, 1, 9, 3, 3, 7]
    frame = service.score("length", [make_conversation("p", "x" * n) for n in lengths])
    assert list(frame.columns) == [
        "model", "index", "reward", "n_tokens", "truncated", "cached", "error",
    ]  # fmt: skip
    assert frame["index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert frame["reward"].tolist() == [5.0, 1.0, 9.0, 3.0, 3.0, 7.0]
    assert frame["model"].tolist() == ["length"] * 6
    assert frame["error"].tolist() == [""] * 6
    assert frame["truncated"].tolist() == [0] * 6


def test_several_models_give_one_row_for_each_model_and_conversation(
    make_service: MakeService,
) -> None:
    negated = CountingModel("negated", formula=lambda c: -float(len(c[-1]["content"])))
    service = make_service(CountingModel(), negated)
    frame = service.score(["length", "negated"], texts(3))
    assert frame[["model", "index", "reward"]].to_numpy().tolist() == [
        ["length", 0, 1.0], ["length", 1, 2.0], ["length", 2, 3.0],
        ["negated", 0, -1.0], ["negated", 1, -2.0], ["negated", 2, -3.0],
    ]  # fmt: skip


def test_nothing_to_score_is_done_at_once(make_service: MakeService) -> None:
    service = make_service(CountingModel())
    job = service.submit("length", [])
    assert job.wait(0)
    assert job.progress() == Progress(0, 0, 0.0, 0.0, 0, "done")
    assert len(service.score("length", [])) == 0


def test_equal_texts_of_one_job_are_computed_once(make_service: MakeService) -> None:
    model = CountingModel()
    frame = make_service(model).score("length", texts(3) * 4)
    assert frame["reward"].tolist() == [1.0, 2.0, 3.0] * 4
    assert sorted(model.seen) == ["x", "xx", "xxx"]


def test_equal_texts_of_two_callers_in_flight_are_computed_once(make_service: MakeService) -> None:
    gate = threading.Event()
    model = CountingModel(gate=gate)
    service = make_service(model)
    first = service.submit("length", texts(5))
    assert model.started.wait(10)
    second = service.submit("length", texts(5))
    gate.set()
    assert first.wait(10)
    assert second.wait(10)
    assert first.frame()["reward"].tolist() == second.frame()["reward"].tolist() == [1, 2, 3, 4, 5]
    assert sorted(model.seen) == ["x", "xx", "xxx", "xxxx", "xxxxx"]


def test_what_was_scored_once_comes_from_the_cache(make_service: MakeService) -> None:
    first = CountingModel()
    make_service(first).score("length", texts(20))
    again = CountingModel()
    frame = make_service(again).score("length", texts(25))
    assert frame["reward"].tolist() == [float(n) for n in range(1, 26)]
    assert frame["cached"].tolist() == [True] * 20 + [False] * 5
    assert sorted(map(len, again.seen)) == [21, 22, 23, 24, 25]


def test_another_version_of_a_model_does_not_use_the_old_rewards(make_service: MakeService) -> None:
    make_service(CountingModel()).score("length", texts(3))
    doubled = CountingModel(version="2", formula=lambda c: 2.0 * len(c[-1]["content"]))
    frame = make_service(doubled).score("length", texts(3))
    assert frame["reward"].tolist() == [2.0, 4.0, 6.0]
    assert not frame["cached"].any()


def test_a_prompt_is_part_of_what_is_cached(make_service: MakeService) -> None:
    model = CountingModel(formula=lambda c: float(len(c[0]["content"])))
    service = make_service(model)
    conversations = [make_conversation("p" * n, "same") for n in (1, 2)]
    assert service.score("length", conversations)["reward"].tolist() == [1.0, 2.0]


def test_32_threads_each_get_their_own_answers(make_service: MakeService) -> None:
    models = [
        CountingModel(),
        CountingModel("tens", formula=lambda c: 10.0 * len(c[-1]["content"])),
    ]
    service = make_service(*models)
    answers: dict[int, list[float]] = {}

    def ask(caller: int) -> None:
        # Half of each caller's texts are everyone's, half are its own.
        own = texts(10) + texts(10, start=100 * (caller + 1))
        name = "length" if caller % 2 else "tens"
        answers[caller] = service.score(name, own, live=caller % 3 == 0)["reward"].tolist()

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for caller in range(32):
        scale = 1.0 if caller % 2 else 10.0
        lengths = [*range(1, 11), *range(100 * (caller + 1), 100 * (caller + 1) + 10)]
        assert answers[caller] == [scale * n for n in lengths]
    for model in models:
        assert model.most_at_once == 1
        assert len(model.seen) == len(set(model.seen)) == 10 + 16 * 10


def test_a_live_request_does_not_wait_for_a_long_bulk_job(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)
    bulk = service.submit("length", texts(400))
    assert model.started.wait(10)
    begin = time.monotonic()
    live = service.submit("length", [make_conversation("p", "y" * 1000)], live=True)
    assert live.wait(10)
    elapsed = time.monotonic() - begin
    assert live.frame()["reward"].tolist() == [1000.0]
    assert bulk.state == "running"
    assert bulk.progress().done < 200
    assert elapsed < 2.0  # the chunk in flight takes 0.1 s, the whole job 4 s
    bulk.cancel()


def test_a_live_request_overtakes_its_own_text_in_a_bulk_job(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)
    bulk = service.submit("length", texts(400))
    assert model.started.wait(10)
    live = service.submit("length", texts(1, start=399), live=True)
    assert live.wait(2)
    assert live.frame()["reward"].tolist() == [399.0]
    assert bulk.progress().done < 300
    assert bulk.wait(30)
    assert bulk.frame()["reward"].tolist() == [float(n) for n in range(1, 401)]
    assert len(model.seen) == 400


def test_a_single_live_edit_goes_before_many_live_texts(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)
    many = service.submit("length", texts(300), live=True)
    assert model.started.wait(10)
    edit = service.submit("length", texts(1, start=5000), live=True, session="s")
    assert edit.wait(2)
    assert many.progress().done < 250
    assert many.wait(30)


def test_a_small_bulk_job_does_not_wait_for_a_large_one(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.005)
    service = make_service(model)
    large = service.submit("length", texts(1000))
    assert model.started.wait(10)
    small = service.submit("length", texts(5, start=5000))
    assert small.wait(10)
    assert small.frame()["reward"].tolist() == [5000.0, 5001.0, 5002.0, 5003.0, 5004.0]
    assert large.progress().done < 800
    large.cancel()


def test_live_requests_of_several_sessions_share_a_batch(make_service: MakeService) -> None:
    gate = threading.Event()
    model = CountingModel(gate=gate)
    service = make_service(model)
    first = service.submit("length", texts(1), live=True, session="first")
    assert model.started.wait(10)
    rest = [
        service.submit("length", texts(1, start=n), live=True, session=f"{n}") for n in range(2, 10)
    ]
    time.sleep(0.2)  # all of them are through the intake
    gate.set()
    assert all(job.wait(10) for job in [first, *rest])
    assert [job.frame()["reward"].tolist() for job in rest] == [[float(n)] for n in range(2, 10)]
    assert max(len(chunk) for chunk in model.chunks) > 1


def test_the_newest_live_edit_of_a_session_replaces_a_waiting_one(
    make_service: MakeService,
) -> None:
    gate = threading.Event()
    model = CountingModel(gate=gate)
    service = make_service(model)
    in_flight = service.submit("length", texts(1), live=True, session="me")
    assert model.started.wait(10)
    waiting = service.submit("length", texts(1, start=2), live=True, session="me")
    other = service.submit("length", texts(1, start=3), live=True, session="you")
    newest = service.submit("length", texts(1, start=4), live=True, session="me")
    assert waiting.state == "stopped"
    gate.set()
    assert all(job.wait(10) for job in (in_flight, other, newest))
    assert [job.frame()["reward"].tolist() for job in (in_flight, other, newest)] == [[1], [3], [4]]
    assert "xx" not in model.seen


def test_cancelling_keeps_what_is_done_and_stops_between_batches(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.005)
    service = make_service(model)
    job = service.submit("length", texts(1000))
    while job.progress().done < 10:
        time.sleep(0.005)
    job.cancel()
    assert job.wait(0)
    frame = job.frame()
    assert job.progress().state == "stopped"
    assert 10 <= len(frame) < 1000
    assert frame["reward"].tolist() == [float(index + 1) for index in frame["index"]]
    time.sleep(0.3)
    settled = len(model.seen)
    time.sleep(0.3)
    assert len(model.seen) == settled < 200
    assert len(job.frame()) == len(frame)


def test_a_stopped_job_resumes_from_the_cache(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.002)
    service = make_service(model)
    job = service.submit("length", texts(300))
    while job.progress().done < 50:
        time.sleep(0.005)
    job.cancel()
    service.close()
    done = len(model.seen)
    assert 50 <= done < 300
    fresh = CountingModel()
    frame = make_service(fresh).score("length", texts(300))
    assert frame["reward"].tolist() == [float(n) for n in range(1, 301)]
    assert len(fresh.seen) == 300 - done
    assert frame["cached"].sum() == done


def test_a_conversation_that_fails_does_so_alone(make_service: MakeService) -> None:
    def formula(conversation: Conversation) -> float:
        if len(conversation[-1]["content"]) == 20:
            raise ValueError("twenty is too much")
        return float(len(conversation[-1]["content"]))

    service = make_service(CountingModel(formula=formula))
    frame = service.score("length", texts(40))
    assert frame["error"].tolist() == [""] * 19 + ["ValueError: twenty is too much"] + [""] * 20
    expected = [float(n) if n != 20 else np.nan for n in range(1, 41)]
    np.testing.assert_array_equal(frame["reward"], expected)


def test_a_failure_is_not_cached(make_service: MakeService) -> None:
    broken = [True]

    def formula(conversation: Conversation) -> float:
        if broken[0]:
            raise RuntimeError("the connection is gone")
        return 1.5

    service = make_service(CountingModel(formula=formula))
    assert service.score("length", texts(1))["error"].tolist() == [
        "RuntimeError: the connection is gone"
    ]
    broken[0] = False
    assert service.score("length", texts(1))["reward"].tolist() == [1.5]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_an_error(make_service: MakeService, value: float) -> None:
    service = make_service(CountingModel(formula=lambda _c: value))
    frame = service.score("length", texts(1))
    assert frame["reward"].isna().tolist() == [True]
    assert "not a finite reward" in frame["error"][0]


def test_a_malformed_conversation_is_its_rows_error(make_service: MakeService) -> None:
    conversations: list[Any] = [*texts(1), [{"role": "user", "content": "hi"}], "text", *texts(1)]
    frame = make_service(CountingModel()).score("length", conversations)
    assert frame["error"].astype(bool).tolist() == [False, True, True, False]
    assert "does not end with the assistant's turn" in frame["error"][1]
    assert frame["reward"].dropna().tolist() == [1.0, 1.0]


def test_progress_counts_rate_and_cached_rows(make_service: MakeService) -> None:
    make_service(CountingModel()).score("length", texts(100))
    service = make_service(CountingModel(seconds=0.005))
    job = service.submit("length", texts(300))
    while job.progress().done < 150:
        time.sleep(0.005)
    progress = job.progress()
    assert (progress.total, progress.n_cached, progress.state) == (300, 100, "running")
    assert 20 < progress.rate_per_s <= 200  # 200 a second, less what the machine loses
    assert progress.remaining_s == pytest.approx((300 - progress.done) / progress.rate_per_s)
    assert job.wait(30)
    final = job.progress()
    assert (final.done, final.remaining_s, final.state) == (300, 0.0, "done")


def test_rows_stream_as_they_come(make_service: MakeService) -> None:
    service = make_service(CountingModel(seconds=0.002))
    job = service.submit("length", texts(200))
    rows = []
    seen_before_the_end = False
    for row in job.iterate():
        rows.append(row)
        seen_before_the_end |= not job.finished
    assert seen_before_the_end
    assert sorted((row.index, row.reward) for row in rows) == [(n, n + 1.0) for n in range(200)]


def test_score_reports_progress_to_the_end(make_service: MakeService) -> None:
    service = make_service(CountingModel(seconds=0.005), CountingModel("other", seconds=0.005))
    reports: list[Progress] = []
    service.score(["length", "other"], texts(80), progress=reports.append)
    assert len(reports) >= 2
    assert [r.done for r in reports] == sorted(r.done for r in reports)
    assert (reports[-1].done, reports[-1].total, reports[-1].state) == (160, 160, "done")


def test_interrupting_score_stops_its_jobs(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)

    def interrupt(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.score("length", texts(500), progress=interrupt)
    time.sleep(0.3)
    settled = len(model.seen)
    time.sleep(0.2)
    assert len(model.seen) == settled < 200


def test_a_model_that_does_not_load_fails_its_own_requests_and_can_be_tried_again(
    make_service: MakeService,
) -> None:
    attempts: list[str] = []

    def load(name: str) -> CountingModel:
        attempts.append(name)
        if name == "broken" and attempts.count("broken") == 1:
            raise ModelLoadError("broken: the weights are a pickle.", fix="Convert them.")
        return CountingModel(name)

    service = make_service(loader=load)
    frame = service.score(["good", "broken"], texts(2))
    assert frame["error"].tolist() == [
        "",
        "",
        *["broken: the weights are a pickle. Convert them."] * 2,
    ]
    assert frame["reward"].tolist()[:2] == [1.0, 2.0]
    again = service.submit("broken", texts(2))
    assert again.wait(10)
    assert again.progress().state == "done"
    assert again.frame()["reward"].tolist() == [1.0, 2.0]


def test_a_failed_job_says_why(make_service: MakeService) -> None:
    def load(_name: str) -> CountingModel:
        raise ModelLoadError("no head")

    job = make_service(loader=load).submit("any", texts(1))
    assert job.wait(10)
    assert job.state == "failed"
    assert isinstance(job.error, ModelLoadError)


def test_a_model_loads_once_for_all_who_ask_at_the_same_time(make_service: MakeService) -> None:
    attempts: list[str] = []

    def load(name: str) -> CountingModel:
        attempts.append(name)
        time.sleep(0.2)
        return CountingModel(name)

    service = make_service(loader=load)
    job = service.submit("slow", texts(1))
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(service.model("slow"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert job.wait(10)
    assert attempts == ["slow"]
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_model_that_loads_slowly_holds_up_no_other(make_service: MakeService) -> None:
    gate = threading.Event()

    def load(name: str) -> CountingModel:
        if name == "slow":
            assert gate.wait(30)
        return CountingModel(name)

    service = make_service(loader=load)
    slow = service.submit("slow", texts(1))
    assert service.score("quick", texts(2))["reward"].tolist() == [1.0, 2.0]
    assert slow.state == "queued"
    gate.set()
    assert slow.wait(10)


def test_names_that_mean_one_model_share_it(make_service: MakeService) -> None:
    attempts: list[str] = []

    def load(name: str) -> CountingModel:
        attempts.append(name)
        return CountingModel(name)

    service = make_service(loader=load, resolve=lambda name: name.removeprefix("org/"))
    frame = service.score(["org/model", "model"], texts(1))
    assert frame["model"].tolist() == ["org/model", "model"]
    assert attempts == ["org/model"]
    assert [model.id for model in service.resident()] == ["model"]


def test_models_of_one_residence_take_turns(make_service: MakeService) -> None:
    at_once: list[int] = [0]
    most = [0]

    class OnBase(CountingModel):
        residence = "one base"

        def conversation_rewards(self, conversations: Any) -> ModelOutput:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            try:
                return super().conversation_rewards(conversations)
            finally:
                at_once[0] -= 1

    first = OnBase("first", seconds=0.003)
    second = OnBase("second", seconds=0.003, formula=lambda c: -float(len(c[-1]["content"])))
    service = make_service(first, second)
    jobs = [service.submit(name, texts(600)) for name in ("first", "second")]
    assert first.started.wait(10)
    assert second.started.wait(10)
    assert not any(job.finished for job in jobs)  # neither waited for the whole of the other
    assert all(job.wait(60) for job in jobs)
    assert jobs[0].frame()["reward"].tolist() == [float(n) for n in range(1, 601)]
    assert jobs[1].frame()["reward"].tolist() == [-float(n) for n in range(1, 601)]
    assert most == [1]


def test_objectives_become_columns_and_survive_the_cache(make_service: MakeService) -> None:
    class TwoObjectives(CountingModel):
        def __init__(self) -> None:
            super().__init__("two")
            parts = (Objective(name="helpful", weight=0.5), Objective(name="brief", weight=-1.0))
            self.card = RewardModelCard(
                id="two",
                source=self.card.source,
                family="multi-objective",
                reward=RewardPart(objectives=parts),
            )

        @property
        def capabilities(self) -> frozenset[Capability]:
            return frozenset({Capability.REWARD, Capability.OBJECTIVES})

        def conversation_rewards(self, conversations: Any) -> ModelOutput:
            n = super().conversation_rewards(conversations).rewards
            return ModelOutput(0.5 * (2 * n) - n**2, np.stack([2 * n, n**2], axis=1))

    for cached in (False, True):
        frame = make_service(TwoObjectives()).score("two", texts(3))
        assert frame["objective_helpful"].tolist() == [2.0, 4.0, 6.0]
        assert frame["objective_brief"].tolist() == [1.0, 4.0, 9.0]
        assert frame["reward"].tolist() == [0.0, -2.0, -6.0]
        assert frame["cached"].tolist() == [cached] * 3


def test_exclusive_work_runs_between_batches(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)
    bulk = service.submit("length", texts(400))
    assert model.started.wait(10)
    assert service.exclusive("length", lambda m: (m.card.id, model.at_once)) == ("length", 0)
    assert bulk.state == "running"
    with pytest.raises(ZeroDivisionError):
        service.exclusive("length", lambda _m: 1 / 0)
    bulk.cancel()


def test_a_model_without_tokens_has_nothing_to_show(make_service: MakeService) -> None:
    with pytest.raises(ScoringError, match="no tokens"):
        make_service(CountingModel()).encode("length", texts(1)[0])


def test_a_closed_service_stops_its_jobs_and_takes_no_more(make_service: MakeService) -> None:
    model = CountingModel(seconds=0.01)
    service = make_service(model)
    job = service.submit("length", texts(500))
    assert model.started.wait(10)
    before = {thread.name for thread in threading.enumerate()}
    assert "intake length" in before
    service.close()
    assert job.state == "stopped"
    with pytest.raises(ScoringError, match="closed"):
        service.submit("length", texts(1))
    assert "intake length" not in {thread.name for thread in threading.enumerate()}


def test_a_huge_job_does_not_pile_up_in_memory(make_service: MakeService) -> None:
    gate = threading.Event()
    model = CountingModel(gate=gate)
    service = make_service(model)
    job = service.submit("length", [make_conversation("p", str(n)) for n in range(6000)])
    assert model.started.wait(10)
    time.sleep(1.0)
    (worker,) = service._workers.values()
    assert len(worker._open) <= 2048 + 32
    gate.set()
    assert job.wait(60)
    assert job.frame()["reward"].tolist() == [float(len(str(n))) for n in range(6000)]
