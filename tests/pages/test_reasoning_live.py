"""The live judge on the reasoning page, with a tiny random judge that really writes."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.reasoning.live_run import LiveRun
from app_pages.common.reasoning.live_view import NAME
from core import judgements as recordings
from core.engine.service import RewardService
from core.models.judges.formats import FORMATS
from tests.pages.conftest import ROOT, TIMEOUT_S
from tests.tiny import save_language_model

PAGE = "app_pages/labs/reasoning.py"
LIVE = ":material/play_circle: Live"
JUDGES = {"tiny-pair": "rubric-pair", "tiny-score": "rubric-score"}


@pytest.fixture
def lab(
    service: RewardService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppTest]:
    folder = save_language_model(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
    cards = tmp_path / "home" / "cards"
    cards.mkdir(parents=True)
    for name, form in JUDGES.items():
        (cards / f"{name}.yaml").write_text(
            f"id: {name}\ntitle: {name}\nsource: {{kind: local, path: {folder}}}\n"
            f"family: judge\njudge: {{format: {form}, samples: 2, max_new_tokens: 12}}\n"
            "dtype: float32\n"
        )
    monkeypatch.setattr(recordings, "judgements_folder", lambda: tmp_path / "judgements")
    recordings.recorded_judgements.cache_clear()
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state["reasoning-tab"] = LIVE
    test.run()
    test.switch_page(PAGE).run()
    yield test
    recordings.recorded_judgements.cache_clear()


def choose(test: AppTest, judge: str) -> AppTest:
    return test.selectbox(key=f"{NAME}-judge").set_value(judge).run()


def run_of(test: AppTest) -> LiveRun:
    run: LiveRun = test.session_state[f"{NAME}-run"]
    return run


def wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 4 * TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, "the judge never ended"
        time.sleep(0.05)


def judged(test: AppTest) -> AppTest:
    test.button(key=f"{NAME}-go").click().run()
    wait(lambda: not run_of(test).running)
    return test.run()


def metrics(test: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in test.metric}


def test_a_judge_writes_in_both_orders_and_what_it_wrote_is_on_the_page(lab: AppTest) -> None:
    test = judged(choose(lab, "tiny-pair"))
    assert not test.exception
    run = run_of(test)
    assert run.state == "done"
    assert run.table is not None
    assert run.table["order"].tolist() == ["AB", "AB", "BA", "BA"]
    assert [draft.text for draft in run.drafts()] == run.table["raw"].tolist()
    assert all(draft.whole for draft in run.drafts())
    captions = " ".join(each.value for each in test.caption)
    n_unread = int((run.table["problem"] != "").sum())
    assert f"{n_unread} of 4 judgements could not be read" in captions


def test_the_second_press_asks_for_nothing(lab: AppTest) -> None:
    test = judged(choose(lab, "tiny-pair"))
    first = run_of(test)
    test = judged(test)
    again = run_of(test)
    assert again is not first
    assert again.n_known == 4
    assert again.table is not None
    assert first.table is not None
    assert again.table["raw"].tolist() == first.table["raw"].tolist()


def test_votes_by_probability_say_how_little_they_capture(lab: AppTest) -> None:
    test = choose(lab, "tiny-pair")
    reading = next(g for g in test.get("button_group") if str(g.key).startswith(f"{NAME}-reading"))
    reading.set_value("probability of the verdict words").run()
    test = judged(test)
    run = run_of(test)
    assert run.table is not None
    table = run.table
    assert table["verdict"].isin(["A", "B"]).all()
    shown = metrics(test)
    n_a = int((table["verdict"] == "A").sum())
    assert shown["Votes for A"] == f"{n_a} of 2"
    first = int((table["verdict"] == table["order"].str[0]).sum())
    assert shown["Shown first wins"] == f"{first} of 2"
    assert shown["Order flips it"] == ("yes" if first in (0, 2) else "no")
    assert any("of the probability" in each.value for each in test.warning)


def test_scores_are_shown_for_each_response(lab: AppTest) -> None:
    test = choose(lab, "tiny-score")
    reading = next(g for g in test.get("button_group") if str(g.key).startswith(f"{NAME}-reading"))
    reading.set_value("probability of the verdict words").run()
    test = judged(test)
    run = run_of(test)
    assert run.table is not None
    scores = {row.order: row.scores[0] for row in run.table.itertuples()}
    shown = metrics(test)
    assert shown["Score of A"] == f"{scores['A']:.2f}"
    assert shown["Score of B"] == f"{scores['B']:.2f}"


def test_stopping_keeps_what_is_whole(lab: AppTest) -> None:
    test = choose(lab, "tiny-pair")
    test.number_input(key=f"{NAME}-tokens-tiny-pair").set_value(1024).run()
    test.button(key=f"{NAME}-go").click().run()
    run = run_of(test)
    wait(lambda: bool(run.drafts()) or not run.running)
    run.stop()
    wait(lambda: not run.running)
    test.run()
    assert not test.exception
    assert run.state == "stopped"
    assert run.table is not None
    whole = [draft for draft in run.drafts() if draft.whole]
    assert len(whole) == len(run.table) < 4
    assert any("Stopped" in each.value for each in test.info)


def test_an_empty_response_cannot_be_judged(lab: AppTest) -> None:
    lab.text_area(key=f"{NAME}-b").set_value("  ").run()
    assert lab.button(key=f"{NAME}-go").disabled


def test_a_judge_that_cannot_be_loaded_says_why(lab: AppTest, tmp_path: Path) -> None:
    for file in (tmp_path / "tiny").glob("*.safetensors"):
        file.unlink()
    test = judged(choose(lab, "tiny-pair"))
    assert run_of(test).state == "failed"
    assert any("safetensors" in each.value for each in test.error)


def test_markup_of_a_visitor_is_shown_as_it_is(lab: AppTest) -> None:
    nasty = "<script>alert(1)</script> **bold** $x$ :red[no]"
    lab.text_area(key=f"{NAME}-a").set_value(nasty).run()
    test = judged(choose(lab, "tiny-pair"))
    assert not test.exception
    assert "<script>alert" not in " ".join(each.value for each in test.markdown)
    assert set(JUDGES.values()) <= set(FORMATS)
