"""Remote models in the engine: rows, cancellation, the cache, the conformance check."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.engine.cache import RewardCache
from core.engine.conformance import ConformanceReport, check_model
from core.engine.reports import ReportStore
from core.engine.service import RewardService
from core.manifest import model_record
from core.models.card import write_card
from core.models.catalogue import user_cards_folder
from core.models.remote import Connection, RemoteRewardModel, connection_to, open_remote
from core.schema import make_conversation
from tests import tiny
from tests.core.models.remote.conftest import FAST, card_for, endpoint_for
from tests.servers.base import EngineServer, running, text_reward
from tests.servers.engines import (
    OpenAiServer,
    OpenRlhfServer,
    SglangServer,
    TeiServer,
    VllmServer,
)

TEXTS = [make_conversation("Question?", f"Answer {i}.") for i in range(8)]
PAIR = {"family": "text-pair", "input": {"form": "text-pair"}}
Connect = Callable[..., RemoteRewardModel]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    tiny.chat_tokenizer().save_pretrained(tmp_path / "tokenizer")
    source = {"kind": "local", "path": str(tmp_path / "tokenizer")}
    with ExitStack() as stack:

        def make(server: EngineServer, *, rendered: bool = True, **card: object):
            stack.enter_context(running(server))
            connection = Connection(endpoint_for(server), backoff=FAST)
            remote = {**({"tokenizer": source} if rendered else {}), **card.pop("remote", {})}
            return open_remote(card_for(remote=remote, **card), connection)

        yield make


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RewardService]:
    made = RewardService(cache=RewardCache(tmp_path / "rewards.sqlite", 2**20))
    yield made
    made.close()


def lines(report: ConformanceReport) -> dict[str, tuple[str, str, str]]:
    return {line.name: (line.verdict, line.detail, line.fix) for line in report.lines}


def failing(report: ConformanceReport) -> list[str]:
    return [line.name for line in report.lines if line.verdict == "fails"]


def test_errors_reach_their_rows_and_sizes_are_counted(
    connect: Connect, service: RewardService
) -> None:
    server = VllmServer()
    model = connect(server, max_length=60)
    service.register(model)
    server.spoil = {"Answer 3.": math.nan}
    long = make_conversation("Question?", "word " * 80)
    frame = service.score("far", [*TEXTS, long])
    assert [bool(error) for error in frame["error"]] == [i == 3 for i in range(9)]
    assert "not a finite reward" in frame["error"][3]
    assert frame["n_tokens"][8] == 60
    assert frame["truncated"][8] > 0
    assert frame["truncated"][0] == 0
    # The failed row is asked for again, what is there is not.
    server.spoil = {}
    server.requests.clear()
    again = service.score("far", [*TEXTS, long])
    assert not again["error"].any()
    assert again["cached"].sum() == 8
    assert [len(r.body["input"]) for r in server.posts] == [1]


def test_a_job_that_is_cancelled_keeps_its_rows(connect: Connect, service: RewardService) -> None:
    server = VllmServer()
    service.register(connect(server, rendered=False))  # one request each
    server.latency_s = 0.1
    texts = [make_conversation("Question?", f"Answer {i}.") for i in range(60)]
    job = service.submit("far", texts)
    while job.n_done < 4:
        time.sleep(0.01)
    job.cancel()
    rows = job.rows()
    assert 4 <= len(rows) < 60
    assert all(row.error == "" for row in rows)
    time.sleep(0.3)
    sent = len(server.posts)
    time.sleep(0.3)
    assert len(server.posts) == sent


def test_a_slow_server_holds_up_no_local_model(connect: Connect, service: RewardService) -> None:
    from core.models.function import FunctionRewardModel

    server = VllmServer()
    service.register(connect(server, rendered=False))
    service.register(FunctionRewardModel("length", lambda c: float(len(c[-1]["content"]))))
    server.latency_s = 0.5
    far = service.submit("far", TEXTS)
    started = time.monotonic()
    assert service.score("length", TEXTS)["reward"].tolist() == [9.0] * 8
    assert time.monotonic() - started < 0.5
    far.cancel()


@pytest.mark.parametrize(
    ("kind", "card"),
    [
        (VllmServer, {}),
        (VllmServer, {"rendered": False}),
        (VllmServer, {"remote": {"route": "pooling"}}),
        (VllmServer, {**PAIR, "rendered": False}),
        (SglangServer, {}),
        (TeiServer, {**PAIR, "rendered": False}),
        (OpenRlhfServer, {}),
        (OpenAiServer, {"rendered": False}),
    ],
)
def test_sound_servers_conform(
    connect: Connect, kind: type[EngineServer], card: dict[str, object]
) -> None:
    report = check_model(connect(kind(), **card))
    # The reward is a hash of the text: whether good beats bad is chance for the other lines.
    assert failing(report) == [], report.lines
    assert report.noise_floor < 1e-9
    assert report.probe_spread > 0


def test_an_activated_server_is_flagged_and_a_card_that_says_so_holds(connect: Connect) -> None:
    server = VllmServer()
    server.squash = True
    report = check_model(connect(server))
    verdict, detail, fix = lines(report)["raw against activated values"]
    assert verdict == "fails"
    assert "asking without activation changes nothing" in detail
    assert "remote.activated to sigmoid" in fix
    assert "use_activation" in fix
    other = VllmServer()
    other.squash = True
    told = check_model(connect(other, remote={"activated": "sigmoid"}))
    assert failing(told) == []
    assert lines(told)["undoing the sigmoid"][0] == "holds"
    assert 0 < told.noise_floor < 1e-4


def test_a_card_that_says_activated_of_a_raw_server_is_corrected(connect: Connect) -> None:
    report = check_model(connect(VllmServer(), remote={"activated": "sigmoid"}))
    verdict, _, fix = lines(report)["raw against activated values"]
    assert verdict == "fails"
    assert "remote.activated to no" in fix


def test_a_doubled_beginning_token_is_found_by_the_count(connect: Connect) -> None:
    server = VllmServer()
    server.adds_bos = True
    verdict, detail, fix = lines(check_model(connect(server)))["tokens read by the server"]
    assert (verdict, detail) == ("fails", "Against our own count: +1 tokens.")
    assert "input.bos to 'strip'" in fix


def test_silent_truncation_is_found(connect: Connect) -> None:
    server = VllmServer()
    server.cuts_silently, server.max_model_len = True, 200
    name = "too long a text is cut and said so, or refused"
    told = lines(check_model(connect(server)))[name]
    assert told[0] == "holds"
    assert "cut the text without saying so" in told[1]
    other = VllmServer()
    other.cuts_silently, other.max_model_len = True, 200
    blind = lines(check_model(connect(other, rendered=False)))[name]
    assert blind[0] == "fails"
    assert "remote.tokenizer" in blind[2]


def test_a_server_that_never_says_the_same_twice_is_found(connect: Connect) -> None:
    server = VllmServer()
    model = connect(server)
    server.noise = 0.5
    report = check_model(model)
    assert "the same text twice" in failing(report)
    assert "differently each time" in lines(report)["the same text twice"][2]


def test_a_softmax_over_one_class_is_found(connect: Connect) -> None:
    server = SglangServer()
    server.spoil = {"": 1.0}
    verdict, detail, fix = lines(check_model(connect(server)))["raw against activated values"]
    assert verdict == "fails"
    assert "same value 1" in detail
    assert "/v1/classify" in fix


def test_words_with_little_probability_are_found(connect: Connect) -> None:
    server = OpenAiServer()
    server.share = 0.2
    found = lines(check_model(connect(server, rendered=False)))
    verdict, detail, _ = found["the verdict's words are what the model says"]
    assert verdict == "fails"
    assert "20%" in detail


def test_a_server_restarted_otherwise_is_noticed(connect: Connect) -> None:
    server = VllmServer()
    model = connect(server)
    server.squash = True
    verdict, detail, _ = lines(check_model(model))["raw against activated values"]
    assert verdict == "fails"
    assert "was raw when the model was loaded" in detail


def test_reports_of_servers_are_not_kept_on_disk(connect: Connect, tmp_path: Path) -> None:
    model = connect(VllmServer())
    report = check_model(model)
    store = ReportStore(tmp_path / "reports")
    store.put(model, report)
    assert store.get(model) == report
    assert ReportStore(tmp_path / "reports").get(model) is None
    store.forget(model)
    assert store.get(model) is None


def test_a_card_is_loaded_by_name_through_the_settings_and_checked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path))
    monkeypatch.delenv("REWARD_WORKBENCH_SETTINGS", raising=False)
    server = VllmServer()
    server.squash = True
    card = card_for()
    path = user_cards_folder() / "far.yaml"
    write_card(card, path)
    service = RewardService()
    frame = service.score("far", TEXTS[:1])
    assert "the settings name no endpoint 'lab'" in frame["error"][0]
    with running(server):
        (tmp_path / "settings.toml").write_text(
            f'[[endpoints]]\nname = "lab"\nurl = "{server.url}"\n'
        )
        connection_to.cache_clear()
        assert not service.conformance("far").holds
        fixed = card.model_copy(
            update={"remote": card.remote.model_copy(update={"activated": "sigmoid"})}
        )
        write_card(fixed, path)
        assert service.recheck("far").holds
        reward = service.score("far", TEXTS[:1])["reward"][0]
    service.close()
    from tests.servers.engines import rendered

    raw = text_reward(rendered([dict(m) for m in TEXTS[0]]))
    assert reward == pytest.approx(raw, abs=1e-4)


def test_the_manifest_says_what_the_server_said(connect: Connect) -> None:
    record = model_record(connect(TeiServer(), rendered=False, **PAIR))
    assert (record.dtype, record.revision) == ("float16", "abc123")
    assert record.template_hash
    assert "127.0.0.1" not in str(record.source)
