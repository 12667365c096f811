import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.engine.judgements import JudgementStore, Progress, judge_items
from core.models.card import JudgePart
from core.models.judges import Item, Judge, LocalBackend, Question, Record
from tests.tiny import tiny_language_model

ITEMS = [
    Item("one", "Capital of France?", ("Paris.", "Bananas."), "A"),
    Item("two", "Two plus two?", ("Five.", "Four."), "B"),
    Item("three", "Say hello.", ("Hello!", "No."), "A"),
]


class Counting(LocalBackend):
    """A real backend that counts the texts asked of it."""

    asked = 0

    def complete(self, asks: Any, part: Any, *, watch: Any = None) -> Any:
        self.asked += sum(ask.n for ask in asks)
        return super().complete(asks, part, watch=watch)


@pytest.fixture(scope="module")
def model() -> Any:
    model = tiny_language_model()
    model.network.config.max_position_embeddings = 4096
    return model


@pytest.fixture
def judge(model: Any) -> Judge:
    part = JudgePart(format="rubric-pair", samples=3, max_new_tokens=5)
    return Judge("tiny", Counting(model), part)


@pytest.fixture
def store(tmp_path: Path) -> JudgementStore:
    return JudgementStore(tmp_path / "judgements.sqlite")


def asked(judge: Judge) -> int:
    assert isinstance(judge.backend, Counting)
    return judge.backend.asked


def test_nothing_is_asked_twice(judge: Judge, store: JudgementStore) -> None:
    first = judge_items(judge, ITEMS, store=store)
    assert (len(first.table), first.n_known, first.stopped) == (18, 0, False)
    n = asked(judge)
    assert n == 18
    again = judge_items(judge, ITEMS, store=store)
    assert asked(judge) == n
    assert again.n_known == 18
    pd.testing.assert_frame_equal(again.table, first.table)


def test_more_samples_ask_for_the_new_ones_only(judge: Judge, store: JudgementStore) -> None:
    few = judge_items(judge, ITEMS, store=store, samples=2).table
    more = judge_items(judge, ITEMS, store=store, samples=4)
    assert asked(judge) == 24
    kept = more.table.loc[more.table["sample"] < 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, few)
    # Drawn in two goes or in one: the same texts.
    fresh = judge_items(judge, ITEMS, samples=4).table
    pd.testing.assert_frame_equal(more.table, fresh)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"temperature": 0.2},
        {"top_p": 0.5},
        {"max_new_tokens": 4},
        {"rubric": "Only rhymes count."},
        {"verdict": "log-probability"},
    ],
)
def test_other_settings_are_other_judgements(
    judge: Judge, store: JudgementStore, change: dict[str, Any]
) -> None:
    judge_items(judge, ITEMS[:1], store=store)
    assert judge_items(judge.changed(**change), ITEMS[:1], store=store).n_known == 0


def test_the_batch_size_changes_no_text(judge: Judge) -> None:
    one = judge_items(judge, ITEMS, rows=1).table
    many = judge_items(judge, ITEMS, rows=96).table
    pd.testing.assert_frame_equal(one, many)


def test_cancelling_keeps_what_is_done_and_goes_on_from_there(
    judge: Judge, store: JudgementStore
) -> None:
    stop = threading.Event()

    def tell(progress: Progress) -> None:
        if progress.done >= 6:
            stop.set()

    part = judge_items(judge, ITEMS, store=store, should_stop=stop.is_set, progress=tell, rows=3)
    assert part.stopped
    assert 6 <= len(part.table) < 18
    assert len(store) == len(part.table)
    rest = judge_items(judge, ITEMS, store=store)
    assert rest.n_known == len(part.table)
    assert not rest.stopped
    whole = judge_items(judge, ITEMS).table
    pd.testing.assert_frame_equal(rest.table, whole)


def test_a_text_that_was_ended_is_not_kept(judge: Judge, store: JudgementStore) -> None:
    shown: list[str] = []

    def watch(question: Question, sample: int, text: Callable[[], str]) -> bool:
        shown.append(text())
        return sample == 0

    found = judge_items(judge, ITEMS[:1], store=store, watch=watch)
    assert shown
    kept = found.table.loc[found.table["sample"] == 0]
    # Only a text that ended by itself with its very first token may be there.
    assert (kept["n_tokens"] == 1).all()
    assert len(store) == len(found.table)


def test_progress_counts_up_and_tells_a_rate(judge: Judge, store: JudgementStore) -> None:
    told: list[Progress] = []
    judge_items(judge, ITEMS, store=store, progress=told.append, rows=6)
    assert [each.done for each in told] == [0, 6, 12, 18]
    assert told[-1].remaining_s == 0
    assert told[-1].rate_per_s > 0
    assert told[-1].tokens_per_s > told[-1].rate_per_s
    again: list[Progress] = []
    judge_items(judge, ITEMS, store=store, progress=again.append)
    assert [(each.done, each.n_known) for each in again] == [(18, 18)]


def test_a_new_parser_reads_old_texts(judge: Judge, store: JudgementStore) -> None:
    question = judge.questions(ITEMS[:1])[0]
    record = Record("Reason: x\nVerdict: [[B]]", 9, False)
    store.put_many("tiny", {judge.key(question, 0): (question.order, 0, record)})
    table = judge_items(judge, ITEMS[:1], store=store).table
    first = table.loc[(table["order"] == "AB") & (table["sample"] == 0)].iloc[0]
    assert (first["verdict"], first["raw"]) == ("B", record.text)


def test_tokens_that_were_not_counted_stay_unknown_in_the_store(
    judge: Judge, store: JudgementStore
) -> None:
    records = {
        b"now": Record("text", None, False),
        b"before": Record("text", 0, False),
        b"nothing": Record("", 0, False),
    }
    store.put_many("tiny", {key: ("AB", 0, record) for key, record in records.items()})
    found = store.get_many(list(records))
    assert {key: found[key].n_tokens for key in records} == {
        b"now": None,
        b"before": None,
        b"nothing": 0,
    }


def test_a_rate_in_tokens_is_unknown_where_they_are_not_counted(store: JudgementStore) -> None:
    from core.models.judges import ChatBackend

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        message = {"content": "Verdict: [[A]]"}
        return {"choices": [{"message": message, "finish_reason": "stop"}] * body["n"]}

    judge = Judge("remote", ChatBackend(reply, "server", 1), JudgePart(format="rubric-pair"))
    told: list[Progress] = []
    table = judge_items(judge, ITEMS[:1], store=store, progress=told.append).table
    assert table["n_tokens"].isna().all()
    assert told[-1].tokens_per_s != told[-1].tokens_per_s
    assert told[-1].rate_per_s > 0


def test_what_a_server_refused_is_asked_again(store: JudgementStore) -> None:
    from core.errors import ScoringError
    from core.models.judges import ChatBackend

    replies: list[Any] = [ScoringError("down"), "Verdict: [[A]]"]

    def ask(_body: dict[str, Any]) -> dict[str, Any]:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return {"choices": [{"message": {"content": reply}, "finish_reason": "stop"}]}

    part = JudgePart(format="rubric-pair", both_orders=False)
    judge = Judge("remote", ChatBackend(ask, "server", 1), part)
    assert judge_items(judge, ITEMS[:1], store=store).table["problem"].tolist() == ["down"]
    assert judge_items(judge, ITEMS[:1], store=store).table["verdict"].tolist() == ["A"]


def test_a_store_is_shared_by_two_connections(tmp_path: Path) -> None:
    one, two = (JudgementStore(tmp_path / "s.sqlite") for _ in range(2))
    record = Record("text ü 日本", 3, True, {"A": -0.5})
    one.put_many("j", {b"key": ("AB", 0, record)})
    assert two.get_many([b"key", b"other"]) == {b"key": record}
    two.close()
    one.close()
