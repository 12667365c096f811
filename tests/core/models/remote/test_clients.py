"""Every client against a server of its protocol: what is sent, what is read, what goes wrong."""

import base64
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import RemoteError
from core.models.remote import RemoteRewardModel
from core.models.remote.openai import QUESTION, question, verdict
from core.models.remote.protocol import Row, choose_values, numbers, outline
from core.schema import Conversation, make_conversation
from tests import tiny
from tests.core.models.remote.conftest import card_for
from tests.servers.base import EngineServer, squashed, text_reward
from tests.servers.engines import (
    TEI_MAX_ROWS,
    OpenAiServer,
    OpenRlhfServer,
    SglangServer,
    TeiServer,
    VllmServer,
    rendered,
)

Connect = Callable[..., RemoteRewardModel]
TEXTS = [make_conversation(f"Question {i % 3}?", f"Answer {i}.") for i in range(11)]
PAIR = {"family": "text-pair", "input": {"form": "text-pair"}}
RAW = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def chat_text(conversation: Conversation) -> str:
    return rendered([dict(message) for message in conversation])


def pair_text(conversation: Conversation) -> str:
    return "\n".join(message["content"] for message in conversation)


def raw_text(conversation: Conversation) -> str:
    return "".join(f"{m['role']}: {m['content']}\n" for m in conversation)


def rewards(model: RemoteRewardModel, texts: list[Conversation] = TEXTS) -> list[float]:
    output = model.conversation_rewards(texts)
    assert output.errors == ()
    return output.rewards.tolist()


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("route", ["auto", "classify", "pooling"])
def test_vllm_reads_texts_rendered_here(
    connect: Connect, tokenizer: dict[str, str], route: str, shuffle: bool
) -> None:
    server = VllmServer()
    server.shuffle = shuffle
    model = connect(server, remote={"route": route, "tokenizer": tokenizer})
    assert rewards(model) == [text_reward(chat_text(text)) for text in TEXTS]
    (request,) = server.posts
    assert request.path == ("/pooling" if route == "pooling" else "/classify")
    # The rendered text begins with its own beginning-of-text token: the server must add none.
    assert request.body["add_special_tokens"] is False
    assert request.body["input"][0].startswith("<s>")
    assert request.body["use_activation"] is False
    assert "truncate_prompt_tokens" not in request.body


def test_vllm_gets_one_conversation_a_request_in_the_form_with_messages(connect: Connect) -> None:
    server = VllmServer()
    model = connect(server)
    assert rewards(model) == [text_reward(chat_text(text)) for text in TEXTS]
    assert len(server.posts) == len(TEXTS)
    body = server.posts[0].body
    assert "input" not in body
    assert body["add_generation_prompt"] is False
    assert body["add_special_tokens"] is False


@pytest.mark.parametrize(
    ("value", "reward"),
    [
        (1.5, 1.5),
        ([1.5], 1.5),
        ([[0.1], [0.2], [1.5]], 1.5),
        (base64.b64encode(struct.pack("<f", 1.5)).decode(), 1.5),
    ],
)
def test_every_form_of_a_pooled_value_is_read(value: object, reward: float) -> None:
    assert numbers(value) == (reward,)


def test_pooling_reads_rows_of_tokens_and_base64(
    connect: Connect, tokenizer: dict[str, str]
) -> None:
    server = VllmServer()
    server.token_rows = True
    model = connect(server, remote={"route": "pooling", "tokenizer": tokenizer})
    assert rewards(model) == [text_reward(chat_text(text)) for text in TEXTS]
    server.token_rows = False
    server.spoil = {"Answer": base64.b64encode(struct.pack("<f", 2.25)).decode()}
    assert rewards(model) == [2.25] * len(TEXTS)


@pytest.mark.parametrize("route", ["auto", "score", "rerank"])
def test_vllm_scores_pairs_and_puts_ranks_back_in_order(connect: Connect, route: str) -> None:
    server = VllmServer()
    server.shuffle = True
    model = connect(server, remote={"route": route}, **PAIR)
    assert rewards(model) == [text_reward(pair_text(text)) for text in TEXTS]
    bodies = [request.body for request in server.posts]
    if route == "rerank":
        assert all(body["top_n"] == len(body["documents"]) for body in bodies)
    else:
        assert bodies[0]["text_1"][:2] == ["Question 0?", "Question 1?"]
    assert all(body["use_activation"] is False for body in bodies)


def test_hidden_states_are_not_rewards(connect: Connect) -> None:
    server = VllmServer()
    server.spoil = {"": [0.1] * 8192}
    with pytest.raises(RemoteError, match=r"hidden states.*8192.*convert classify"):
        connect(server)


def test_sglang_gets_token_ids_so_that_nothing_is_added(
    connect: Connect, tokenizer: dict[str, str]
) -> None:
    server = SglangServer()
    model = connect(server, remote={"tokenizer": tokenizer})
    assert rewards(model) == [text_reward(chat_text(text)) for text in TEXTS]
    (request,) = server.posts
    assert request.path == "/classify"
    ids = tiny.chat_tokenizer()(chat_text(TEXTS[0]), add_special_tokens=False)["input_ids"]
    assert request.body["input_ids"][0] == ids


def test_sglang_takes_a_raw_template_as_text(connect: Connect) -> None:
    server = SglangServer()
    model = connect(server, input={"form": "raw-template", "template": RAW})
    assert rewards(model) == [text_reward(raw_text(text)) for text in TEXTS]
    assert server.posts[0].body["text"][0] == raw_text(TEXTS[0])


@pytest.mark.parametrize("kind", [SglangServer, TeiServer, OpenRlhfServer])
def test_a_route_for_rendered_text_needs_something_to_render_with(
    connect: Connect, kind: type[EngineServer]
) -> None:
    with pytest.raises(RemoteError, match=r"remote\.tokenizer"):
        connect(kind())


def test_tei_predict_sends_a_list_of_pairs_within_its_batch_size(connect: Connect) -> None:
    server = TeiServer()
    model = connect(server, endpoint={"concurrency": 1}, **PAIR)
    assert rewards(model) == [text_reward(pair_text(text)) for text in TEXTS]
    assert [len(request.body["inputs"]) for request in server.posts] == [TEI_MAX_ROWS] * 2 + [3]
    assert server.posts[0].body["inputs"][0] == ["Question 0?", "Answer 0."]
    assert all(request.body["raw_scores"] is True for request in server.posts)


def test_two_plain_texts_are_two_texts_to_tei_and_not_a_pair(connect: Connect) -> None:
    server = TeiServer()
    model = connect(server, input={"form": "raw-template", "template": RAW})
    two = TEXTS[:2]
    assert rewards(model, two) == [text_reward(raw_text(text)) for text in two]
    assert server.posts[0].body["inputs"] == [[raw_text(text)] for text in two]


def test_tei_classes_are_told_apart_by_name(connect: Connect) -> None:
    # Sorted by score: which class comes first depends on the text.
    server = TeiServer()
    server.labels = ["good", "bad"]
    model = connect(server, remote={"label": "good"}, **PAIR)
    assert rewards(model) == [text_reward(pair_text(text)) for text in TEXTS]
    other = TeiServer()
    other.labels = ["good", "bad"]
    model = connect(other, remote={"label": "bad"}, **PAIR)
    assert rewards(model) == [-text_reward(pair_text(text)) - 1 for text in TEXTS]


def test_several_classes_need_a_word_on_which_is_the_reward(connect: Connect) -> None:
    server = TeiServer()
    server.labels = ["good", "bad"]
    with pytest.raises(RemoteError, match=r"remote\.label \(good, bad\)"):
        connect(server, **PAIR)
    wrong = TeiServer()
    wrong.labels = ["good", "bad"]
    with pytest.raises(RemoteError, match="no class 'fine'"):
        connect(wrong, remote={"label": "fine"}, **PAIR)


def test_tei_ranks_come_back_in_the_order_asked(connect: Connect) -> None:
    server = TeiServer()
    server.reranker = True
    model = connect(server, **PAIR)
    texts = [make_conversation("One question?", f"Answer {i}.") for i in range(6)]
    assert rewards(model, texts) == [text_reward(pair_text(text)) for text in texts]
    assert [request.path for request in server.posts] == ["/rerank"] * 2
    assert server.posts[0].body["raw_scores"] is True


@pytest.mark.parametrize("newer", [False, True])
def test_openrlhf_gets_whole_texts_and_their_prompts(
    connect: Connect, tokenizer: dict[str, str], newer: bool
) -> None:
    server = OpenRlhfServer()
    server.newer = newer
    model = connect(server, remote={"tokenizer": tokenizer})
    assert rewards(model) == [text_reward(chat_text(text)) for text in TEXTS]
    body = server.posts[0].body
    assert set(body) == {"query", "prompts"}
    assert body["prompts"][0] == "Question 0?"


def test_a_chat_server_is_asked_for_one_word(connect: Connect) -> None:
    server = OpenAiServer()
    model = connect(server)
    found = rewards(model)
    # log P(yes) - log P(no) of the test server is the reward of what it is asked.
    assert found == pytest.approx([text_reward(question(text)) for text in TEXTS], abs=1e-6)
    body = server.posts[0].body
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    assert body["model"] == "judge"
    assert all(reading.mass == pytest.approx(0.9) for reading in model.read_all(TEXTS[:2]))


def test_a_chat_server_is_asked_in_the_cards_own_words(connect: Connect) -> None:
    server = OpenAiServer()
    model = connect(server, input={"form": "raw-template", "template": "Good? " + RAW})
    rewards(model, TEXTS[:1])
    assert server.posts[0].body["messages"] == [
        {"role": "user", "content": "Good? " + raw_text(TEXTS[0])}
    ]


def test_a_word_that_is_not_there_is_no_reward(connect: Connect) -> None:
    server = OpenAiServer()
    model = connect(server)
    server.only_yes = True
    (only,) = model.conversation_rewards(TEXTS[:1]).errors
    assert "No is not among the 2 likeliest" in only
    server.only_yes, server.silent = False, True
    (neither,) = model.conversation_rewards(TEXTS[:1]).errors
    assert "Neither Yes nor No" in neither


def test_spellings_of_a_word_are_added_up() -> None:
    top = [("Yes", math.log(0.3)), (" yes", math.log(0.1)), ("▁No", math.log(0.2))]
    row = verdict([*top, ("Maybe", math.log(0.05))])
    assert isinstance(row, Row)
    assert row.values[0] == pytest.approx(math.log(0.4 / 0.2))
    assert row.mass == pytest.approx(0.6)


def test_braces_in_a_conversation_stay_as_they_are() -> None:
    text = question(make_conversation("{x}", "{conversation}"))
    assert "{x}" in text
    assert text.startswith(QUESTION.partition("{conversation}")[0])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "nan, not a finite"),
        (-(10**400), "inf, not a finite"),
        (None, "null"),
        ("text", "base64"),
        ([], "empty list"),
        ([True], "truth value"),
        ([0.0] * 65, "hidden states"),
        ({"a": 1}, "an object with 'a'"),
    ],
)
def test_what_is_no_number_is_said_to_be_none(value: object, said: str) -> None:
    found = numbers(value)
    assert isinstance(found, str)
    assert said in found


@pytest.mark.parametrize(
    ("changes", "row", "found"),
    [
        ({}, Row((2.0,)), (2.0,)),
        ({"reward": {"index": 1}}, Row((2.0, 3.0)), (3.0,)),
        ({"reward": {"index": 0}}, Row((2.0, 3.0)), (2.0,)),
        ({"remote": {"label": "LABEL_1"}}, Row((2.0, 3.0)), (3.0,)),
        ({"remote": {"label": "b"}}, Row((2.0, 3.0), ("a", "b")), (3.0,)),
    ],
)
def test_the_card_says_which_value_is_the_reward(
    changes: dict[str, Any], row: Row, found: tuple[float, ...]
) -> None:
    assert choose_values(card_for(**changes), row) == found


def test_objectives_are_weighed(connect: Connect, tokenizer: dict[str, str]) -> None:
    server = VllmServer()
    server.classes = 2
    objectives = [{"name": "up", "weight": 2.0}, {"name": "down", "weight": 0.5}]
    model = connect(
        server,
        family="multi-objective",
        reward={"objectives": objectives},
        remote={"tokenizer": tokenizer},
    )
    output = model.conversation_rewards(TEXTS[:3])
    raw = [text_reward(chat_text(text)) for text in TEXTS[:3]]
    assert output.objectives is not None
    assert output.objectives.tolist() == [[value, -value] for value in raw]
    assert output.rewards.tolist() == pytest.approx([1.5 * value for value in raw])


def test_the_activation_is_asked_for_and_undone_where_the_card_says_so(connect: Connect) -> None:
    server = VllmServer()
    server.squash = True
    model = connect(server, remote={"activated": "sigmoid"})
    assert model.activation is not None
    assert model.activation.state == "activated"
    readings = model.read_all(TEXTS)
    assert all(request.body["use_activation"] is True for request in server.posts)
    for reading, text in zip(readings, TEXTS, strict=True):
        raw = text_reward(chat_text(text))
        assert reading.values == (squashed(raw),)
        assert abs(reading.reward - raw) <= reading.half_width
        assert 0 < reading.half_width < 1e-5


def test_a_saturated_or_raw_value_is_no_sigmoid_to_undo(connect: Connect) -> None:
    server = VllmServer()
    model = connect(server, remote={"activated": "sigmoid"})
    server.spoil = {"Answer 1.": 1.0, "Answer 2.": 3.5}
    errors = model.conversation_rewards(TEXTS[:3]).errors
    assert errors[0] == ""
    assert "saturated at 1" in errors[1]
    assert "3.5 is not what a sigmoid gives" in errors[2]


def test_the_form_of_an_answer_is_told_without_its_content() -> None:
    assert outline({"secret": [1]}) == "an object with 'secret'"
    assert outline([["x"]]) == "a list of 1, the first a list of 1, the first a text"


@pytest.mark.parametrize(
    ("kind", "card", "said"),
    [
        (VllmServer, {"remote": {"route": "predict"}}, "no route 'predict'"),
        (VllmServer, {"remote": {"route": "classify"}, **PAIR}, "reads one text"),
        (VllmServer, {"remote": {"route": "score"}}, "joins two texts its own way"),
        (VllmServer, {"source": {"kind": "remote", "endpoint": "lab", "model": "x"}}, "no model"),
    ],
)
def test_a_card_that_does_not_fit_the_engine_is_refused(
    connect: Connect, kind: type[EngineServer], card: dict[str, Any], said: str
) -> None:
    with pytest.raises(RemoteError, match=said):
        connect(kind(), **card)


def test_a_server_with_several_models_wants_one_named(connect: Connect) -> None:
    server = VllmServer()
    server.names = ["one", "two"]
    with pytest.raises(RemoteError, match="several models"):
        connect(server)
