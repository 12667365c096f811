"""The reasoning page against judgements whose chances were planted."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.markup import _STYLES
from app_pages.common.reasoning.adaptive_view import _words as adaptive_words
from app_pages.common.reasoning.setup import NAME
from app_pages.common.reasoning.traces_view import verdict_span
from core import judgements as recordings
from core.engine.service import RewardService
from core.stats import Estimate
from tests.core.labs.reasoning.made import made_judgements
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/reasoning.py"
VOTING, TRACES, ORDERS, ADAPTIVE, TOURNAMENTS, SCALAR = (
    ":material/how_to_vote: Voting",
    ":material/article: Traces",
    ":material/swap_horiz: Both orders",
    ":material/timer: Adaptive",
    ":material/trophy: Tournaments",
    ":material/balance: Scalar against reasoning",
)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An installation without recorded judgements; `record` puts some there."""
    monkeypatch.setattr(recordings, "judgements_folder", lambda: tmp_path / "judgements")
    recordings.recorded_judgements.cache_clear()
    yield tmp_path / "judgements"
    recordings.recorded_judgements.cache_clear()


def record(folder: Path, **choices) -> None:
    """A recording on disk, as the recorder leaves it."""
    at = folder / "made"
    at.mkdir(parents=True)
    made = made_judgements(**choices)
    made.table.drop(columns="temperature").to_parquet(at / "judgements.parquet")
    made.items.drop(columns=["n_candidates", "scalar_rewards"]).to_parquet(at / "items.parquet")
    card = {
        "title": "A planted judge",
        "description": "Its chances are known.",
        "findings": ["It is right as planted."],
        "command": "none",
    }
    (at / "card.yaml").write_text(yaml.safe_dump(card))
    recordings.recorded_judgements.cache_clear()


def opened(tab: str = VOTING) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state[f"{NAME}-scalar-models"] = ["words"]
    test.run()
    test.session_state[f"{NAME}-tab"] = tab
    test.switch_page(PAGE).run()
    return settled(test)


def settled(test: AppTest) -> AppTest:
    return until(
        test,
        lambda: not any(c.value.startswith(":material/hourglass_empty:") for c in test.caption),
    )


def marked(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def captions(test: AppTest) -> str:
    return "\n".join(element.value for element in test.caption).replace("\\", "")


def charts(test: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def choose(test: AppTest, label: str, value: str) -> AppTest:
    next(g for g in test.segmented_control if g.label == label).set_value(value)
    return settled(test.run())


def test_without_recordings_the_page_says_so_kindly_and_plays_tournaments(service, folder):
    test = opened(TOURNAMENTS)
    assert "No recorded judgements are installed" in test.info[0].value
    assert "One row a judgement" in captions(test)
    assert (
        "**8 candidates:** everyone against everyone takes 28 comparisons, a knockout 7 in 3"
        in (marked(test))
    )
    methods = next(d.value for d in test.dataframe if "comparisons" in d.value.columns)
    assert methods.set_index("method")["comparisons"].to_dict() == {
        "wins": 28, "Elo": 28, "Bradley-Terry": 28, "knockout": 7,
    }  # fmt: skip
    assert methods["found"].between(0, 1).all()


def test_more_judgements_a_comparison_find_the_best_more_often(service, folder):
    test = opened(TOURNAMENTS)
    before = next(d.value for d in test.dataframe if "comparisons" in d.value.columns)
    test.select_slider(key=f"{NAME}-of-votes").set_value(15)
    settled(test.run())
    after = next(d.value for d in test.dataframe if "comparisons" in d.value.columns)
    assert (after["comparisons"] == 15 * before["comparisons"]).all()
    assert after["found"].mean() > before["found"].mean() + 0.1


def test_recorded_votes_are_counted_at_once(service: RewardService, folder: Path):
    record(folder, n=60, samples=4, chance=0.75)
    test = opened()
    assert "**Voting helps here.**" in marked(test)
    assert "480 judgements of 60 items; 0 could not be read (0%); 8 votes an item" in captions(test)
    curve = next(t for t in charts(test)[0]["data"] if t["name"] == "majority")
    planted = made_judgements(60, 4, chance=0.75)
    best = planted.table["item_id"].map(planted.items.set_index("item_id")["best"])
    assert curve["y"][0] == pytest.approx((planted.table["verdict"] == best).mean())
    assert len(curve["y"]) == 8
    assert any(b.key == f"{NAME}-save" for b in test.button)


def test_a_judge_below_one_half_is_told_that_voting_hurts(service, folder):
    record(folder, n=60, samples=4, chance=0.3)
    assert "**Voting makes this judge worse.**" in marked(opened())


def test_unread_judgements_are_told_and_stay_in_the_draw(service, folder):
    record(folder, n=20, samples=2, unread=0.3)
    n_unread = made_judgements(20, 2, unread=0.3).n_unread
    assert f"{n_unread} judgements could not be read. They stay in the draw" in captions(opened())


def test_two_traces_stand_side_by_side_with_the_verdict_marked(service, folder):
    record(folder, n=6, samples=2)
    test = opened(TRACES)
    texts = [element.value for element in test.get("html")] if test.get("html") else []
    shown = "".join(str(getattr(each, "proto", "")) for each in test.get("html")) or "".join(texts)
    assert shown.count("what the verdict is read from") == 2
    chosen = [s for s in test.selectbox if s.label == "Judgement"]
    assert [s.value for s in chosen] == [0, 2]
    choose(test, "Items", "unread")
    assert "No item of this kind" in test.info[-1].value


def test_the_place_of_a_verdict():
    assert verdict_span("so [[A]] wins", "unknown", 2) == (3, 8)
    assert verdict_span("first [[A]], no: \\boxed{Assistant 2}", "unknown", 2) == (17, 36)
    assert verdict_span("no verdict", "unknown", 2) is None


def test_a_planted_preference_for_the_first_place_is_named(service, folder):
    record(folder, n=60, samples=3, chance=0.7, first=0.6)
    test = opened(ORDERS)
    assert "**This judge prefers what it is shown first.**" in marked(test)
    grid = charts(test)[0]["data"][0]
    assert grid["type"] == "heatmap"
    assert {m.label for m in test.metric} == {"Flip rate", "Right in both", "One judgement right"}


def test_stopping_that_saves_nothing_is_not_called_a_saving():
    def mean(value: float) -> Estimate:
        return Estimate(value, value, value, 0.95, 20, 20, "")

    assert adaptive_words(mean(0.0), mean(0.0), 2).startswith("**It saves no judgements.** Of 2")
    assert adaptive_words(mean(1.5), mean(0.0), 8).startswith("**It saves judgements and loses n")


def test_stopping_when_settled_loses_nothing(service, folder):
    record(folder, n=30, samples=4, chance=0.8)
    test = opened(ADAPTIVE)
    assert "**It saves judgements and loses nothing.** Of 8 judgements an item" in marked(test)
    choose(test, "Stop when", "majority")
    assert "It saves judgements" in marked(test)
    test.select_slider(key=f"{NAME}-threshold").set_value(0.7)
    settled(test.run())
    assert "Threshold" in [s.label for s in test.select_slider]


def test_sums_of_scores_stop_early_too(service, folder):
    record(folder, n=30, samples=4, chance=0.8, scores=True)
    test = opened(ADAPTIVE)
    choose(test, "What decides", "sums of scores")
    # The recording names no known format: the ends are those in the file until told otherwise.
    assert [n.value for n in test.number_input] == [1.0, 10.0]
    assert "**It saves judgements and loses nothing.** Of 8 judgements an item" in marked(test)
    assert "A score is from 1 to 10" in captions(test)
    assert "difference of two sums by 9 at most." in captions(test)
    choose(test, "Stop when", "stays")
    assert "It saves judgements" in marked(test)
    test.number_input(key=f"{NAME}-highest").set_value(9.0)
    settled(test.run())
    assert "Widen the scale" in test.error[0].value


def alone(folder: Path, *, tokens: bool = True) -> None:
    """A recording of a judge that scores each response alone, some texts unread."""
    record(folder, n=20, samples=4, chance=0.8, scores=True, unread=0.2)
    at = folder / "made" / "judgements.parquet"
    table = pd.read_parquet(at)
    table["order"] = table["order"].str[0]
    table["format"] = "rubric-score"
    table["verdict"] = None
    table["scores"] = [
        None if scores is None else [min(9.0, scores["AB".index(order)])]
        for scores, order in zip(table["scores"], table["order"], strict=True)
    ]
    if not tokens:
        table["n_tokens"] = float("nan")
    table.to_parquet(at)


def test_a_judge_that_scores_alone_stops_early_by_its_format(service, folder):
    alone(folder)
    test = opened(ADAPTIVE)
    assert not test.exception
    assert "judgements an item" in marked(test)
    assert not test.number_input
    assert "A score is from 1 to 9" in captions(test)
    assert "by 9 at most: a score that cannot be read adds nothing" in captions(test)
    assert "unknown" not in captions(test)
    choose(test, "What decides", "votes")
    assert "A score is from" not in captions(test)
    code = next(c.value for c in test.code if "score_curves" in c.value)
    scope: dict = {}
    exec(code, scope)


def test_a_cost_that_nobody_counted_is_unknown_and_not_nothing(service, folder):
    alone(folder, tokens=False)
    test = opened(ADAPTIVE)
    assert "How much was written is unknown for 80 of 80 votes" in captions(test)
    assert not [g for g in test.segmented_control if g.label == "Spend in"]
    scalar = opened(SCALAR)
    assert "so no cost in tokens is told" in captions(scalar)
    trace = opened(TRACES)
    assert "tokens unknown" in marked(trace)


def test_unread_texts_are_marked_and_scores_are_no_missing_verdict(service, folder):
    alone(folder)
    test = opened(TRACES)
    item = next(s for s in test.selectbox if s.label.startswith("Item"))
    assert all(" scored" in label for label in item.options)
    assert not any("right, " in label for label in item.options)
    assert "scores " in marked(test)
    choose(test, "Items", "unread")
    chosen = next(s for s in test.selectbox if s.label == "Judgement")
    at = next(at for at, label in enumerate(chosen.options) if label.endswith("unread"))
    chosen.select_index(at)
    settled(test.run())
    assert "Unread: nothing in this text counts as a vote." in captions(test)
    assert "dashed" in "".join(str(each.proto) for each in test.get("html"))


def test_the_mark_of_a_verdict_says_nothing_of_right_or_wrong():
    # The green of "read" is the hue of a right answer; a wrong verdict is marked as well.
    assert _STYLES["verdict"] != _STYLES["read"]
    red, green, blue = map(int, re.findall(r"rgba\((\d+),(\d+),(\d+)", _STYLES["verdict"])[0])
    assert blue > green
    assert blue > red


def test_a_scalar_model_is_scored_here_and_compared(service: RewardService, folder: Path):
    record(folder, n=10, samples=2, chance=0.9)
    test = opened(SCALAR)
    assert "best scalar model of this table has 96.4" in captions(test)
    run = next(b for b in test.button if b.key == f"{NAME}-scalar-run")
    assert run.label == "Run: score 20 conversations"
    run.click()
    test.run()
    test = until(test, lambda: "Judge minus scalar" in marked(test))
    settled(test)
    # Both responses have as many words, so the word counter ties everywhere.
    table = next(d.value for d in test.dataframe if "p_adjusted" in d.value.columns)
    assert table["scalar"].tolist() == [0.5] * 3
    assert "**The judge is right more often than the scalar model" in marked(test)


def test_rewards_in_the_file_need_no_model_here(service, folder):
    test = opened(SCALAR)
    made = made_judgements(12, 2, chance=0.6)
    rewards = {
        row["item_id"]: [2.0, 1.0] if row["best"] == "A" else [1.0, 2.0]
        for row in made.items.to_dict("records")
    }
    table = made.table.merge(made.items[["item_id", "best", "subset"]], on="item_id")
    table["scalar_rewards"] = [json.dumps(rewards[name]) for name in table["item_id"]]
    data = io.BytesIO()
    table.to_csv(data, index=False)
    upload = test.file_uploader(key=f"{NAME}-file")
    upload.set_value(("mine.csv", data.getvalue(), "text/csv"))
    settled(test.run())
    assert "**The scalar model is right more often than the judge" in marked(test)
    assert "12 items; the judge is ahead in 0 of 2 subsets" in marked(test)


def test_a_file_by_position_is_turned_back_and_a_damaged_one_explained(service, folder):
    test = opened()
    rows = b"item_id,order,verdict,best\nx,AB,A,A\nx,BA,A,A\ny,AB,B,B\ny,BA,B,B\n"
    test.file_uploader(key=f"{NAME}-file").set_value(("mine.csv", rows, "text/csv"))
    settled(test.run())
    first = next(t for t in charts(test)[0]["data"] if t["name"] == "majority")["y"][0]
    assert first == pytest.approx(4 / 4)
    test.toggle(key=f"{NAME}-as-shown").set_value(True)
    settled(test.run())
    first = next(t for t in charts(test)[0]["data"] if t["name"] == "majority")["y"][0]
    assert first == pytest.approx(2 / 4)
    test.file_uploader(key=f"{NAME}-file").set_value(("bad.csv", b"a,b\n1,2\n", "text/csv"))
    settled(test.run())
    assert "no column item_id" in test.error[0].value.replace("\\", "")


def test_the_python_of_the_page_runs_and_gives_its_curve(service, folder, capsys):
    record(folder, n=8, samples=2)
    test = opened()
    (code,) = [c.value for c in test.code if "voting_curves" in c.value]
    scope: dict = {}
    exec(code, scope)
    curve = next(t for t in charts(test)[0]["data"] if t["name"] == "majority")
    rows = scope["curves"].table.query("aggregation == 'majority'")
    assert rows["value"].tolist() == pytest.approx(curve["y"])
    assert "aggregation" in capsys.readouterr().out


def test_what_is_offered_without_a_recording(service, folder):
    test = opened()
    assert not [g for g in test.segmented_control if g.label == "Judgements from"]
    assert "Choose or upload judgements first" in captions(test)
