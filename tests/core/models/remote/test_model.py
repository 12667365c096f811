"""A remote model: what fails alone, what is cut or stopped, what its rewards are kept by."""

import math
import threading
import time
from collections.abc import Callable

import pytest

from core.engine.threads import CPU_WORKER, worker_name
from core.models.base import Capability
from core.models.remote import RemoteRewardModel
from core.models.remote.batches import fill_requests, run_requests
from core.schema import Conversation, make_conversation
from tests.core.models.remote.test_clients import PAIR, chat_text, pair_text
from tests.servers.base import EngineServer, Reply, text_reward
from tests.servers.engines import SglangServer, TeiServer, VllmServer, count

Connect = Callable[..., RemoteRewardModel]
TEXTS = [make_conversation("Question?", f"Answer {i}.") for i in range(12)]


@pytest.fixture
def rendered_model(
    connect: Connect, tokenizer: dict[str, str]
) -> Callable[..., tuple[VllmServer, RemoteRewardModel]]:
    """A vLLM server, and a model that renders here."""

    def make(**endpoint: object) -> tuple[VllmServer, RemoteRewardModel]:
        server = VllmServer()
        return server, connect(server, endpoint=endpoint, remote={"tokenizer": tokenizer})

    return make


Rendered = Callable[..., tuple[VllmServer, RemoteRewardModel]]


def expected(texts: list[Conversation]) -> list[float]:
    return [text_reward(chat_text(text)) for text in texts]


def test_a_bad_value_costs_only_its_row(rendered_model: Rendered) -> None:
    server, model = rendered_model()
    server.spoil = {"Answer 3.": math.nan, "Answer 5.": [0.0] * 100, "Answer 7.": None}
    output = model.conversation_rewards(TEXTS)
    assert [i for i, error in enumerate(output.errors) if error] == [3, 5, 7]
    assert "nan" in output.errors[3]
    assert "hidden states" in output.errors[5]
    good = [i for i in range(12) if i not in (3, 5, 7)]
    assert [output.rewards[i] for i in good] == [expected(TEXTS)[i] for i in good]
    assert all(math.isnan(output.rewards[i]) for i in (3, 5, 7))


def test_a_text_that_is_refused_costs_only_its_row(connect: Connect) -> None:
    server = TeiServer()
    server.max_words = 40
    model = connect(server, **PAIR)
    texts = [*TEXTS[:5], make_conversation("Q?", "word " * 60), *TEXTS[5:7]]
    output = model.conversation_rewards(texts)
    assert [i for i, error in enumerate(output.errors) if error] == [5]
    assert "status 413" in output.errors[5]
    assert output.rewards[0] == text_reward(pair_text(texts[0]))
    assert output.rewards[7] == text_reward(pair_text(texts[7]))


def test_a_missing_or_doubled_result_costs_only_its_row(rendered_model: Rendered) -> None:
    server, model = rendered_model()
    entry = {"label": "LABEL_0", "probs": [0.5], "num_classes": 1}
    data = [{"index": 2, **entry}, {"index": 0, **entry}, {"index": 0, **entry}]
    server.faults.append(Reply({"object": "list", "data": data}))
    output = model.conversation_rewards(TEXTS[:3])
    assert "answered twice for text 0" in output.errors[0]
    assert "no result for text 1" in output.errors[1]
    assert output.rewards[2] == 0.5


def test_another_form_of_answer_is_named(rendered_model: Rendered) -> None:
    server, model = rendered_model()
    server.faults.append(Reply([1, 2, 3]))
    errors = model.conversation_rewards(TEXTS[:3]).errors
    assert all("the list 'data' is missing in a list of 3" in error for error in errors)
    assert len(server.posts) == 1


def test_requests_are_filled_by_tokens_and_order_is_kept(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=60, concurrency=3)
    server.shuffle = True
    assert model.conversation_rewards(TEXTS).rewards.tolist() == expected(TEXTS)
    sizes = [len(request.body["input"]) for request in server.posts]
    assert sum(sizes) == 12
    one = count(chat_text(TEXTS[0]))
    assert max(sizes) <= 60 // one
    assert len(sizes) > 1


def test_requests_at_once_are_bounded_and_more_than_one(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=1, concurrency=3)
    server.latency_s = 0.05
    model.conversation_rewards(TEXTS)
    assert len(server.posts) == 12
    assert server.peak == 3


def test_a_text_cut_in_silence_has_no_reward(rendered_model: Rendered) -> None:
    server, model = rendered_model()
    server.cuts_silently, server.max_model_len = True, 40
    long = make_conversation("Question?", "word " * 80)
    output = model.conversation_rewards([TEXTS[0], long, TEXTS[1]])
    assert [bool(error) for error in output.errors] == [False, True, False]
    n = count(chat_text(long))
    assert f"read 40 tokens of {n}" in output.errors[1]
    assert output.rewards[2] == expected(TEXTS)[1]


def test_a_text_known_to_be_too_long_is_cut_and_counted(
    connect: Connect, tokenizer: dict[str, str]
) -> None:
    server = VllmServer()
    card = {"max_length": 60, "truncation_side": "left", "remote": {"tokenizer": tokenizer}}
    model = connect(server, endpoint={"concurrency": 1}, **card)
    long = make_conversation("Question?", "word " * 80)
    assert model.token_counts(long) == (60, count(chat_text(long)) - 60)
    output = model.conversation_rewards([TEXTS[0], long])
    assert output.errors == ()
    bodies = [request.body for request in server.posts]
    assert "truncate_prompt_tokens" not in bodies[0]
    assert (bodies[1]["truncate_prompt_tokens"], bodies[1]["truncation_side"]) == (60, "left")
    other = SglangServer()
    model = connect(other, **card)
    model.conversation_rewards([long])
    assert len(other.posts[0].body["input_ids"][0]) == 60


def test_a_server_that_is_gone_is_given_up_on(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=1, concurrency=1)
    server.faults.extend(["drop"] * 100)
    output = model.conversation_rewards(TEXTS)
    assert all("dropped the connection" in error for error in output.errors)
    assert output.errors[-1].startswith("Not asked any more")
    assert len(server.posts) == 2 * 3  # two requests, three attempts each


def test_a_lost_request_leaves_the_others(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=1, concurrency=1)
    server.faults.extend(["500"] * 3)
    output = model.conversation_rewards(TEXTS)
    assert [bool(error) for error in output.errors] == [True] + [False] * 11
    assert output.rewards[1:].tolist() == expected(TEXTS)[1:]


def test_stopping_keeps_what_is_there_and_sends_no_more(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=1, concurrency=2)
    seen: list[int] = []
    for positions, output in model.stream(TEXTS, should_stop=lambda seen=seen: len(seen) >= 3):
        assert output.errors == ()
        seen += positions
    assert 3 <= len(seen) <= 5
    assert len(server.posts) == len(seen)


def test_a_failing_request_that_is_stopped_is_no_failed_row(rendered_model: Rendered) -> None:
    server, model = rendered_model(batch_tokens=1, concurrency=1)
    server.faults.extend(["500"] * 9)
    stop = threading.Event()

    def should_stop() -> bool:
        asked = stop.is_set()
        stop.set()
        return asked

    assert list(model.stream(TEXTS, should_stop=should_stop)) == []
    assert len(server.posts) == 1


def test_a_conversation_that_cannot_be_rendered_costs_only_its_row(
    rendered_model: Rendered,
) -> None:
    _, model = rendered_model()
    broken = make_conversation("Question?", "half a pair \ud83d")
    output = model.conversation_rewards([TEXTS[0], broken])
    assert "not valid Unicode" in output.errors[1]
    assert output.errors[0] == ""


def test_what_decides_a_reward_decides_the_fingerprint(
    connect: Connect, tokenizer: dict[str, str]
) -> None:
    def fingerprint(server: EngineServer, **card: object) -> str:
        return connect(server, **card).fingerprint

    raw, squashing = VllmServer(), VllmServer()
    squashing.squash = True
    model = connect(raw)
    assert model.fingerprint == model.fingerprint
    before = model.fingerprint
    raw.squash = True
    model.probe_activation()
    assert model.fingerprint != before  # the same server, restarted with another activation
    raw.squash = False
    model.probe_activation()
    assert model.fingerprint == before
    others = [
        fingerprint(squashing),
        fingerprint(VllmServer()),
        fingerprint(VllmServer(), remote={"tokenizer": tokenizer}),
    ]
    assert len({before, *others}) == 4


def test_a_remote_model_has_a_thread_of_its_own(rendered_model: Rendered) -> None:
    _, model = rendered_model()
    assert Capability.REMOTE in model.capabilities
    assert Capability.REWARD in model.capabilities
    assert worker_name(model) != CPU_WORKER


def test_a_long_text_makes_a_request_of_its_own(rendered_model: Rendered) -> None:
    _, model = rendered_model()
    texts = [TEXTS[0], make_conversation("Q?", "word " * 300), TEXTS[1], TEXTS[2]]
    sent = [(i, model.renderer.render(text)) for i, text in enumerate(texts)]
    requests = fill_requests(model.client, sent, batch_tokens=100)
    assert [[i for i, _ in request] for request in requests] == [[0], [1], [2, 3]]


def test_results_are_yielded_as_they_come() -> None:
    def send(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    found = run_requests([0.2, 0.01], send, concurrency=2, should_stop=lambda: False)
    assert [result for _, result in found] == [0.01, 0.2]
