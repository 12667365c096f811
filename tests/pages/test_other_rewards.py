"""Other rewards on tiny real models: what is on screen is what the models and labs say."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.choices import choice_key
from app_pages.common.other_rewards import rubric_view
from app_pages.common.other_rewards.process_view import QUESTION, STEPS
from app_pages.common.other_rewards.work import NAME
from core.engine.service import RewardService
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
    return until(test, lambda: not any(w in c.value for c in test.caption for w in WAITING))


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
