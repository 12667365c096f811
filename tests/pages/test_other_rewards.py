"""Other rewards on tiny real models: what is on screen is what the models and labs say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.choices import choice_key
from app_pages.common.other_rewards import (
    implicit_view,
    process_view,
    rubric_criteria,
    rubric_view,
)
from app_pages.common.other_rewards.item_run import ItemRun, _start
from app_pages.common.other_rewards.process_view import QUESTION, STEPS
from app_pages.common.other_rewards.rubric_criteria import COLUMNS
from app_pages.common.other_rewards.work import NAME
from core.engine.service import RewardService
from core.errors import ConversationError
from core.labs.process.aggregation import aggregate_steps
from core.models.card import RewardModelCard
from core.models.loading import load_card_model
from core.models.process import ProcessRewardModel
from core.schema import make_conversation
from tests.pages.conftest import ROOT, TIMEOUT_S, answer, typed, until, until_measured
from tests.tiny import save_language_model

PAGE = "app_pages/labs/other_rewards.py"
IMPLICIT, PROCESS, RUBRIC = (
    ":material/difference: Implicit",
    ":material/stairs: Process",
    ":material/checklist: Rubric",
)
WAITING = ("Measuring", "Reading", "Scoring", "Asking")


@pytest.fixture
def cards(service: RewardService, tmp_path: Path) -> dict[str, RewardModelCard]:
    """Cards of a tiny model of each family in the user's folder."""
    policy = {"kind": "local", "path": str(save_language_model(tmp_path / "policy", seed=1))}
    reference = {"kind": "local", "path": str(save_language_model(tmp_path / "base", seed=2))}
    parts = {
        "implicit": {"reference": reference},
        "process": {"form": "step-tag", "tag": " #", "separator": "\n"},
        "rubric": {
            "criteria": [
                {"name": "answers", "text": "It answers.", "weight": 3},
                {"name": "rude", "text": "It is rude.", "importance": "pitfall"},
            ]
        },
    }
    folder = tmp_path / "home" / "cards"
    folder.mkdir(parents=True)
    made = {}
    for family, part in parts.items():
        content = {"id": f"tiny-{family}", "title": f"tiny {family}", "source": policy}
        content |= {"family": family, family: part, "dtype": "float32", "max_length": 4000}
        (folder / f"tiny-{family}.yaml").write_text(yaml.safe_dump(content))
        made[family] = RewardModelCard.model_validate(content)
        service.register(load_card_model(made[family], device="cpu"))
    return made


@pytest.fixture
def page(cards: dict[str, RewardModelCard]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.run()
    return test.switch_page(PAGE).run()


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = tab
    return settled(test.run())


def settled(test: AppTest) -> AppTest:
    def rests() -> bool:
        stops = any(button.label == "Stop" for button in test.button)
        return not stops and not any(w in c.value for c in test.caption for w in WAITING)

    return until(test, rests)


def pressed(test: AppTest, label: str) -> AppTest:
    next(button for button in test.button if label in button.label).click()
    return settled(test.run())


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption)


def test_recorded_rewards_are_there_at_once(page: AppTest) -> None:
    opened(page, IMPLICIT)
    assert "of 184 pairs" in captions(page)
    assert any("within a prompt" in text.value for text in page.markdown)


def test_one_response_is_read_by_policy_and_reference(
    page: AppTest, service: RewardService
) -> None:
    opened(page, IMPLICIT)
    page.selectbox(key=f"{NAME}-implicit-model").set_value("tiny-implicit")
    page.text_input(key=f"{NAME}-implicit-prompt").set_value("Two plus two?")
    page.text_area(key=f"{NAME}-implicit-response").set_value("Four.")
    pressed(page, "Compare policy")
    model = service.model("tiny-implicit")
    reading = model.token_ratios([make_conversation("Two plus two?", "Four.")])[0]  # type: ignore[attr-defined]
    assert f"{len(reading.pieces)} tokens with the end of the turn" in captions(page)
    assert f"{reading.ratios.sum():+.3f} nats" in captions(page)


def test_steps_are_scored_and_aggregated(page: AppTest, service: RewardService) -> None:
    opened(page, PROCESS)
    page.selectbox(key=f"{NAME}-process-model").set_value("tiny-process")
    pressed(page.run(), "Score the steps")
    model = service.model("tiny-process")
    assert isinstance(model, ProcessRewardModel)
    scores = model.step_rewards([make_conversation(QUESTION, STEPS)])[0].scores
    shown = next(f.value for f in page.dataframe if "product" in f.value)
    for rule in ("min", "product", "last", "mean"):
        assert float(shown[rule].iloc[0]) == pytest.approx(aggregate_steps(scores, rule), abs=1e-4)


def test_first_errors_come_with_intervals(page: AppTest) -> None:
    opened(page, PROCESS)
    page.selectbox(key=f"{NAME}-process-model").set_value("tiny-process")
    page.slider(key=f"{NAME}-chains").set_value(8)
    pressed(page.run(), "Score the chains")
    metrics = {metric.label: float(metric.value) for metric in page.metric}
    erroneous, correct = metrics["on wrong solutions"], metrics["on sound solutions"]
    total = erroneous + correct
    wanted = 2 * erroneous * correct / total if total else 0
    assert metrics["F1"] == pytest.approx(wanted, abs=0.02)
    assert captions(page).count("95 %:") == 3


def test_weights_move_the_order(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rubric_view, "SCALAR", "words")
    opened(page, RUBRIC)
    page.selectbox(key=f"{NAME}-rubric-model").set_value("tiny-rubric")
    page.slider(key=f"{NAME}-rubric-n").set_value(3)
    pressed(page.run(), "Ask the rubric")
    assert any("Agreement with words" in text.value for text in page.markdown)
    before = shifts(page)
    assert len(before) == 9
    page.slider(key=f"{NAME}-weight-answers").set_value(0.0)
    settled(page.run())
    assert not page.exception
    assert shifts(page) != before
    page.slider(key=f"{NAME}-weight-rude").set_value(0.0)
    settled(page.run())
    assert any("Every weight" in warning.value for warning in page.warning)


def shifts(test: AppTest) -> dict[str, float]:
    table = next(f.value for f in test.dataframe if "rank_second" in f.value)
    return dict(zip(table["response"], table["rank_second"], strict=True))


def test_the_playground_shows_a_strip_under_the_response(
    cards: dict[str, RewardModelCard], app: AppTest, service: RewardService
) -> None:
    app.session_state["models"] = ["words", "tiny-process"]
    until_measured(app.run())
    typed(app, *answer("Step 1: two.\nStep 2: four."))
    strips = [
        each for each in app.get("plotly_chart") if "play-steps-tiny-process" in str(each.proto.id)
    ]
    assert len(strips) == 1
    assert "tiny process: score of each step" in strips[0].proto.spec


def python_of(test: AppTest) -> str:
    return next(code.value for code in test.code if "import numpy" in code.value)


def ran(source: str, monkeypatch: pytest.MonkeyPatch, service: RewardService) -> dict[str, Any]:
    monkeypatch.setattr("core.engine.service.get_service", lambda: service)
    names: dict[str, Any] = {}
    exec(source, names)
    return names


def test_the_python_of_the_length_effect_runs(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, IMPLICIT)
    report = ran(python_of(page), monkeypatch, service)["report"]
    accuracy = report.effects[0].accuracy
    assert any(f"{accuracy.value:.2f} [{accuracy.low:.2f}" in text.value for text in page.markdown)


def test_the_python_of_the_chains_runs(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(page, PROCESS)
    page.selectbox(key=f"{NAME}-process-model").set_value("tiny-process")
    page.slider(key=f"{NAME}-chains").set_value(8)
    assert not page.code  # nothing is found yet, so there is nothing to take along
    pressed(page.run(), "Score the chains")
    found = ran(python_of(page), monkeypatch, service)["found"]
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics["F1"] == f"{found.f1.value:.2f}"
    assert metrics["on wrong solutions"] == f"{found.on_erroneous.value:.2f}"


@pytest.mark.parametrize("reading", ["explicit", "implicit"])
def test_the_python_of_the_rubric_runs(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    monkeypatch.setattr(rubric_view, "SCALAR", "words")
    opened(page, RUBRIC)
    page.selectbox(key=f"{NAME}-rubric-model").set_value("tiny-rubric")
    page.slider(key=f"{NAME}-rubric-n").set_value(3)
    pressed(page.run(), "Ask the rubric")
    if reading == "implicit":
        key = choice_key(NAME, "rubric-reading", list(rubric_view.READINGS))
        page.segmented_control(key=key).set_value("implicit")
        settled(page.run())
    else:
        page.slider(key=f"{NAME}-weight-answers").set_value(1.5)
        settled(page.run())
    assert not page.exception
    shift = ran(python_of(page), monkeypatch, service)["shift"]
    assert shift.table["rank_second"].sum() == sum(shifts(page).values())
    told = f"Kendall's tau {shift.kendall.value:.2f} [{shift.kendall.low:.2f}"
    assert any(told in text.value for text in page.markdown) or shift.kendall.n == 0


def lines(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def chosen(test: AppTest, key: str, options: list[str], value: str) -> None:
    test.segmented_control(key=choice_key(NAME, key, options)).set_value(value)
    settled(test.run())


def pairs_file() -> bytes:
    return lines(
        {"prompt": "Two plus two?", "chosen": "It is four.", "rejected": "Five."},
        {"prompt": "Two plus two?", "chosen": "It is four.", "rejected": "It may be six or so."},
        {"prompt": "A colour?", "chosen": "Blue.", "rejected": "A colour is what one sees."},
        {"prompt": "A pet?", "chosen": "A dog is one.", "rejected": "No."},
        {"prompt": "A town?", "chosen": 7, "rejected": "No."},
    )


def test_pairs_of_a_file_are_scored_beside_the_recorded_ones(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened(page, IMPLICIT)
    chosen(page, "implicit-source", list(implicit_view.SOURCES), implicit_view.OWN)
    page.segmented_control(key=f"{NAME}-implicit-pairs").set_value("My file").run()
    page.file_uploader(key=f"{NAME}-implicit-file").set_value(
        ("pairs.jsonl", pairs_file(), "application/json")
    )
    page.run()
    page.selectbox(key=f"{NAME}-implicit-own-model").set_value("tiny-implicit")
    pressed(page.run(), "Score the responses (7)")
    assert "4 of 4 pairs" in captions(page)
    assert any("line 5, column chosen" in text.value for text in page.text)
    beside = next(f.value for f in page.dataframe if "recorded" in f.value)
    assert beside["n these pairs"].iloc[0] == 4
    assert beside["n recorded"].iloc[0] == 184

    (tmp_path / "pairs.jsonl").write_bytes(pairs_file())
    monkeypatch.chdir(tmp_path)
    names = ran(python_of(page), monkeypatch, service)
    model = service.model("tiny-implicit")
    (reading,) = model.token_ratios([make_conversation("A pet?", "No.")])  # type: ignore[attr-defined]
    row = names["responses"].query("response == 'rejected'").iloc[-1]
    assert row["n_tokens"] == len(reading.pieces)
    assert row["sum"] == pytest.approx(0.1 * reading.ratios.sum(), abs=1e-5)
    accuracy = names["report"].effects[0].accuracy
    assert beside["these pairs"].iloc[0].startswith(f"{accuracy.value:.2f} [{accuracy.low:.2f}")


def solutions_file(*, scores: bool) -> bytes:
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(12):
        label = int(rng.integers(3)) if number % 2 else -1
        values = [0.1 if step == label else 0.9 for step in range(3)]
        row = {"id": f"own-{number}", "problem": f"Task {number}?", "label": label}
        row["steps"] = [f"Line one.\n{number}", "Then two.", "So three."]
        rows.append(row | ({"scores": values} if scores else {}))
    return lines(*rows, {**rows[0], "label": 3})


def uploaded_solutions(page: AppTest, *, scores: bool) -> None:
    opened(page, PROCESS)
    page.selectbox(key=f"{NAME}-process-model").set_value("tiny-process")
    page.run()
    chosen(page, "process-source", list(process_view.SOURCES), process_view.OWN)
    page.file_uploader(key=f"{NAME}-process-file").set_value(
        ("own.jsonl", solutions_file(scores=scores), "application/json")
    )
    settled(page.run())
    assert any("line 13, column label" in text.value for text in page.text)


def test_step_scores_of_a_file_need_no_model(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uploaded_solutions(page, scores=True)
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics["F1"] == "1.00"
    (tmp_path / "own.jsonl").write_bytes(solutions_file(scores=True))
    monkeypatch.chdir(tmp_path)
    found = ran(python_of(page), monkeypatch, service)["found"]
    assert (found.f1.value, found.n_calibration) == (1, 4)
    chosen(page, "process-threshold", list(process_view.THRESHOLDS), process_view.FIXED)
    page.number_input(key=f"{NAME}-process-fixed").set_value(0.05)
    settled(page.run())
    metrics = {metric.label: metric.value for metric in page.metric}
    assert metrics["on wrong solutions"] == "0.00"
    assert any("12 solutions" in text.value for text in page.markdown)


def test_solutions_of_a_file_are_scored_step_by_step(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uploaded_solutions(page, scores=False)
    pressed(page, "Score the solutions (12)")
    assert "12 of 12 solutions" in captions(page)
    metrics = {metric.label: metric.value for metric in page.metric}
    (tmp_path / "own.jsonl").write_bytes(solutions_file(scores=False))
    monkeypatch.chdir(tmp_path)
    names = ran(python_of(page), monkeypatch, service)
    assert all(len(each) == 3 for each in names["table"]["scores"])  # a line break cuts no step
    assert metrics["F1"] == f"{names['found'].f1.value:.2f}"


def test_criteria_of_ones_own_are_asked(
    page: AppTest, service: RewardService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rubric_view, "SCALAR", "words")
    opened(page, RUBRIC)
    page.selectbox(key=f"{NAME}-rubric-model").set_value("tiny-rubric")
    page.slider(key=f"{NAME}-rubric-n").set_value(3)
    rows = [("It names a number.", 2.0, False), ("", 1.0, False), ("It rambles.", 12.5, True)]
    page.session_state[f"{NAME}-criteria"] = pd.DataFrame(rows, columns=list(COLUMNS))
    page.run()
    chosen(page, "rubric-source", list(rubric_criteria.SOURCES), rubric_criteria.OWN)
    assert "row 2, column text: expected a statement" in captions(page)
    pressed(page, "2 criteria of each response (9)")
    assert any("Agreement with words" in text.value for text in page.markdown)
    assert page.slider(key=f"{NAME}-weight-It rambles").value == 12.5
    names = ran(python_of(page), monkeypatch, service)
    assert [each.text for each in names["model"].part.criteria] == [rows[0][0], rows[2][0]]
    assert names["shift"].table["rank_second"].sum() == sum(shifts(page).values())


def test_a_run_that_is_stopped_keeps_what_it_read() -> None:
    run = ItemRun("key", 4)

    def read(position: int) -> int:
        if position == 1:
            raise ConversationError("It is too long.")
        if position == 2 and run.turn == 1:
            run.stop.set()
        return position

    _start(run)
    assert not run.work(read)
    assert (run.done, list(run.problems), run.n_through) == ({0: 0, 2: 2}, [1], 3)
    _start(run)
    assert run.work(read)
    assert run.done == {0: 0, 2: 2, 3: 3}
