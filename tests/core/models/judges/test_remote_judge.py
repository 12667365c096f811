"""A judge behind a chat server, from its card to its judgements, over real HTTP."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from core.cli import app
from core.engine.judgements import JudgementStore, judge_items
from core.errors import ModelLoadError
from core.models.card import JudgePart, RewardModelCard
from core.models.judges import LOW_MASS, Item, Judge
from core.models.judges.model import JudgeRewardModel, chat_backend, load_judge
from core.models.loading import load_card_model
from core.models.remote import Connection
from core.models.remote.http import Backoff
from core.settings import Endpoint
from tests.servers.base import Reply, running
from tests.servers.chat import JudgingServer

FAST = Backoff(attempts=3, first_s=0.01, longest_s=0.02, jitter_s=0.0)
ITEM = Item("cities", "Capital of France?", ("Bananas.", "Paris."), "B")
SAMPLES = 3


@pytest.fixture
def server() -> Iterator[JudgingServer]:
    started = JudgingServer()
    with running(started):
        yield started


@pytest.fixture
def make(server: JudgingServer) -> Iterator[Any]:
    with ExitStack() as stack:

        def judge(timeout_s: float = 5.0, model: str = "judge-1", **part: Any) -> Judge:
            endpoint = Endpoint(name="lab", url=server.url, timeout_s=timeout_s)
            connection = Connection(endpoint, backoff=FAST)
            stack.callback(connection.close)
            told = {"format": "rubric-pair", "samples": SAMPLES, "temperature": 0.7} | part
            return Judge("far", chat_backend(connection, model), JudgePart.model_validate(told))

        yield judge


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JudgementStore]:
    kept = JudgementStore(tmp_path / "judgements.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def home(server: JudgingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's folder that names the server, with a card of a judge on it."""
    folder = tmp_path / "home"
    (folder / "cards").mkdir(parents=True)
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(folder))
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    (folder / "settings.toml").write_text(
        f'[[endpoints]]\nname = "lab"\nurl = "{server.url}"\nengine = "openai"\n'
    )
    (folder / "cards" / "far.yaml").write_text(yaml.safe_dump(card_content()))
    return folder


def card_content(**judge: Any) -> dict[str, Any]:
    return {
        "id": "far",
        "source": {"kind": "remote", "endpoint": "lab", "model": "judge-1"},
        "family": "judge",
        "remote": {},
        "judge": {"format": "rubric-pair", "samples": SAMPLES} | judge,
    }


def card(**judge: Any) -> RewardModelCard:
    return RewardModelCard.model_validate(card_content(**judge))


def test_a_card_is_enough_to_judge_over_a_server(home: Path, server: JudgingServer) -> None:
    items = home / "items.jsonl"
    items.write_text(
        '{"item_id": "c", "prompt": "Capital?", "responses": ["Bananas.", "Paris."]}\n'
    )
    output = home / "out.parquet"
    told = ["judge", "-i", str(items), "-j", "far", "-o", str(output)]
    first = CliRunner().invoke(app, told)
    assert first.exit_code == 0, first.output
    table = pd.read_parquet(output)
    assert table["verdict"].tolist() == ["B"] * 2 * SAMPLES
    assert table["raw"].nunique() == 2 * SAMPLES
    asked = len(server.posts)
    again = CliRunner().invoke(app, told)
    assert again.exit_code == 0, again.output
    assert len(server.posts) == asked
    pd.testing.assert_frame_equal(pd.read_parquet(output), table)


def test_the_workbench_loads_it_like_any_model(home: Path) -> None:
    model = load_card_model(card(format="rubric-score"))
    assert isinstance(model, JudgeRewardModel)
    assert model.scores_one
    assert model.fingerprint != load_card_model(card(format="rubric-score", samples=9)).fingerprint


def test_a_card_may_leave_the_name_to_a_server_with_one_model(
    home: Path, server: JudgingServer
) -> None:
    content = card_content()
    content["source"]["model"] = ""
    model = load_judge(RewardModelCard.model_validate(content))
    assert {each.verdict for each in model.judge.judge([ITEM])} == {"B"}
    assert {post.body["model"] for post in server.posts} == {"judge-1"}


def test_an_endpoint_that_the_settings_do_not_name_is_refused(home: Path) -> None:
    (home / "settings.toml").write_text("")
    with pytest.raises(ModelLoadError, match="no endpoint 'lab'"):
        load_judge(card())


def test_the_question_goes_as_chat_messages_with_the_cards_settings(
    make: Any, server: JudgingServer
) -> None:
    judge = make(temperature=0.3, top_p=0.8, max_new_tokens=77, seed=5)
    judge.judge([ITEM])
    forward, backward = sorted(
        (post.body for post in server.posts),
        key=lambda body: body["messages"][-1]["content"].index("Paris"),
        reverse=True,
    )
    assert [each["role"] for each in forward["messages"]][::5] == ["system", "user"]
    last = forward["messages"][-1]["content"]
    assert last.index("Bananas.") < last.index("Paris.")
    assert forward["n"] == SAMPLES
    assert (forward["temperature"], forward["top_p"], forward["max_tokens"]) == (0.3, 0.8, 77)
    assert forward["seed"] != backward["seed"]
    before = {post.body["seed"] for post in server.posts}
    server.requests.clear()
    make(temperature=0.3, seed=6).judge([ITEM])
    assert before.isdisjoint(post.body["seed"] for post in server.posts)


def test_verdicts_are_the_same_in_both_orders(make: Any) -> None:
    found = make().judge([ITEM])
    assert [each.order for each in found] == ["AB"] * SAMPLES + ["BA"] * SAMPLES
    assert {each.verdict for each in found} == {"B"}
    assert len({each.raw for each in found}) == 2 * SAMPLES
    assert all(each.n_tokens == 7 for each in found)


def test_a_server_that_gives_one_text_at_a_time_is_asked_for_each(
    make: Any, server: JudgingServer
) -> None:
    server.one_at_a_time = True
    found = make().judge([ITEM])
    assert len(found) == len({each.raw for each in found}) == 2 * SAMPLES
    assert len(server.posts) == 2 * SAMPLES


def test_a_cut_text_says_so(make: Any) -> None:
    found = make(max_new_tokens=3).judge([ITEM])
    assert all(each.truncated and each.verdict is None for each in found)
    assert "cut at 3 tokens" in found[0].problem


@pytest.mark.parametrize("streams", [True, False])
def test_a_verdict_in_the_thinking_is_none(
    make: Any, server: JudgingServer, store: JudgementStore, streams: bool
) -> None:
    server.thinks = True
    server.streams = streams
    table = judge_items(make(), [ITEM], store=store).table
    assert set(table["verdict"]) == {"B"}
    assert table["raw"].str.startswith("<think>\nVerdict: [[A]]").all()


def test_texts_are_watched_as_they_stream(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    seen: dict[tuple[str, int], list[str]] = {}
    lock = threading.Lock()

    def watch(question: Any, sample: int, text: Any) -> bool:
        with lock:
            seen.setdefault((question.order, sample), []).append(text())
        return False

    table = judge_items(make(), [ITEM], store=store, watch=watch).table
    assert len(table) == len(seen) == 2 * SAMPLES
    for row in table.itertuples():
        texts = seen[str(row.order), int(row.sample)]
        assert texts[-1] == row.raw
        assert len(set(texts)) > 4
        assert all(str(row.raw).startswith(text) for text in texts)
    # The same texts as in one piece, and the same count of tokens.
    whole = pd.DataFrame([vars(each) for each in make().judge([ITEM])])
    for column in ("raw", "n_tokens", "truncated", "verdict"):
        assert whole[column].tolist() == table[column].tolist()
    assert {post.body.get("stream", False) for post in server.posts} == {True, False}


@pytest.mark.parametrize("ignores", [True, False])
def test_a_server_without_streams_gives_whole_texts(
    make: Any, server: JudgingServer, store: JudgementStore, ignores: bool
) -> None:
    server.streams, server.ignores_stream = False, ignores
    judge = make(both_orders=False)
    seen: list[str] = []
    items = [ITEM, Item("other", "Capital of France, please?", ITEM.responses)]

    def watch(_question: Any, _sample: int, text: Any) -> bool:
        seen.append(text())
        return False

    table = judge_items(judge, items, store=store, watch=watch).table
    assert set(table["raw"]) == set(seen) - {""}
    assert (table["problem"] == "").all()
    server.requests.clear()
    judge_items(judge, [Item("third", "Now?", ITEM.responses)], store=store, watch=watch)
    # It is not asked for a stream again once it has refused one.
    assert [bool(post.body.get("stream")) for post in server.posts] == [ignores]


def test_stopping_ends_the_stream_and_keeps_what_is_whole(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    judge = make(both_orders=False)
    judge_items(judge, [ITEM], store=store)
    server.piece_s = 0.05
    stop = threading.Event()

    def watch(_question: Any, _sample: int, text: Any) -> bool:
        if "says" in text():
            stop.set()
        return False

    found = judge_items(judge, [ITEM], store=store, samples=9, watch=watch, should_stop=stop.is_set)
    assert found.stopped
    assert len(found.table) == SAMPLES
    assert len(store) == SAMPLES


@pytest.mark.parametrize("fault", ["429", "500", "503", "drop", "cut"])
def test_what_may_pass_is_tried_again(
    make: Any, server: JudgingServer, store: JudgementStore, fault: str
) -> None:
    server.faults.append(fault)
    table = judge_items(make(), [ITEM], store=store).table
    assert (table["problem"] == "").all()
    assert len(server.posts) == 3


def test_a_stream_that_breaks_off_is_begun_anew(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    server.breaks_after = [4]
    table = judge_items(make(both_orders=False), [ITEM], store=store).table
    assert set(table["verdict"]) == {"B"}
    assert not table["raw"].str.contains("Reason.*Reason", regex=True).any()
    assert len(server.posts) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("500", "status 500"),
        ("429", "status 429"),
        ("slow", "timed out"),
        ("html", "not JSON"),
        (Reply({"object": "list", "data": []}), "'choices' is missing"),
        (Reply({"choices": []}), "no text"),
        (Reply({"choices": [{"text": "old"}] * SAMPLES}), "no message"),
        (Reply({"error": {"message": "too long"}}, 400), "too long"),
    ],
)
def test_failures_are_counted_one_a_judgement_and_asked_again_later(
    make: Any, server: JudgingServer, store: JudgementStore, fault: Any, reason: str
) -> None:
    judge = make(timeout_s=0.3, both_orders=False)
    server.faults.extend([fault] * 3)
    failed = judge_items(judge, [ITEM], store=store)
    assert failed.table["problem"].str.contains(reason).tolist() == [True] * SAMPLES
    assert failed.table["verdict"].isna().all()
    assert not failed.stopped
    assert len(store) == 0
    server.faults.clear()
    later = judge_items(judge, [ITEM], store=store)
    assert (later.table["problem"] == "").all()
    assert later.n_known == 0
    assert len(store) == SAMPLES


def test_one_order_that_fails_leaves_the_other(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    server.faults.append(Reply({"error": {"message": "too long"}}, 422))
    server.faults.append(Reply({"error": {"message": "too long"}}, 422))
    server.latency_s = 0.05
    table = judge_items(make(), [ITEM], store=store).table
    assert len(table) == 2 * SAMPLES
    assert len(store) >= SAMPLES
    assert (table["problem"] == "").sum() == len(store)


def test_an_error_within_a_stream_is_told(
    make: Any, server: JudgingServer, store: JudgementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"error": {"message": "out of memory", "type": "BadRequestError", "code": 409}}
    monkeypatch.setattr(server, "_events", lambda _body: [event])
    table = judge_items(make(both_orders=False), [ITEM], store=store).table
    assert table["problem"].str.contains("out of memory").all()
    assert len(store) == 0


def test_the_words_probabilities_make_the_verdict_with_the_share_they_capture(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    judge = make(verdict="log-probability")
    table = judge_items(judge, [ITEM], store=store).table
    assert table["verdict"].tolist() == ["B", "B"]
    assert table["mass"].tolist() == pytest.approx([0.9, 0.9])
    assert table["confidence"].tolist() == pytest.approx([0.75, 0.75])
    body = server.posts[0].body
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    server.verdict_share = 0.2
    other = Item("other", "Capital?", ITEM.responses)
    low = judge_items(judge, [other], store=store).table
    assert (low["mass"] < LOW_MASS).all()


def test_a_server_without_log_probabilities_is_counted_and_not_kept(
    make: Any, server: JudgingServer, store: JudgementStore
) -> None:
    plain = Reply({"choices": [{"message": {"content": "A"}, "finish_reason": "length"}]})
    server.faults.extend([plain] * 2)
    table = judge_items(make(verdict="log-probability"), [ITEM], store=store).table
    assert set(table["problem"]) == {"The server gives no log-probabilities."}
    assert len(store) == 0


def test_a_model_that_the_server_does_not_have_is_told_in_every_row(
    make: Any, store: JudgementStore
) -> None:
    table = judge_items(make(model="other"), [ITEM], store=store).table
    assert table["problem"].str.contains("`other` does not exist").all()
    assert len(store) == 0
