"""The task order page against numbers worked out by hand and against planted runs."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.task_order.setup import EXAMPLE, NAME, RECORDED, SOURCES, TYPED, UPLOAD
from core.engine.service import RewardService
from core.rollouts import recorded
from tests.core.labs.task_order.planted import example, planted_table
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/task_order.py"
ORDERS, OBSERVED, ASSUMPTIONS, BREAK, ENTROPY = (
    ":material/sort: Every order",
    ":material/fact_check: Predicted against observed",
    ":material/rule: Do the assumptions hold?",
    ":material/tune: Break the assumptions",
    ":material/thermostat: Entropy",
)
WAITING = ("Drawing", "Comparing", "Computing", "Reading")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installation without recorded runs; `record` puts some there."""
    monkeypatch.setattr(recorded, "rollouts_folder", lambda: tmp_path / "rollouts")
    recorded.collections.cache_clear()
    yield tmp_path / "rollouts"
    recorded.collections.cache_clear()


def record(folder: Path, table: pd.DataFrame) -> None:
    """A collection on disk, as the recorder leaves it."""
    at = folder / "task-order"
    at.mkdir(parents=True)
    table.to_parquet(at / "evaluations.parquet")
    card = {
        "title": "Planted orders",
        "description": "Three tasks whose effects are known.",
        "command": "none",
        "findings": ["The planted effects hold."],
        "runs": [],
        "tables": ["evaluations"],
    }
    (at / "card.yaml").write_text(yaml.safe_dump(card))
    recorded.collections.cache_clear()


def opened(tab: str = ORDERS, source: str | None = None) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.run()
    test.session_state[f"{NAME}-tab"] = tab
    test.switch_page(PAGE).run()
    if source is not None:
        group = next(g for g in test.segmented_control if g.label == "Scores from")
        group.set_value(source)
        test.run()
    return settled(test)


def settled(test: AppTest) -> AppTest:
    return until(
        test, lambda: not any(c.value.startswith(f":material/hourglass_empty: {w}")
                              for c in test.caption for w in WAITING)
    )  # fmt: skip


def marked(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def captions(test: AppTest) -> str:
    return "\n".join(element.value for element in test.caption)


def charts(test: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def test_without_recorded_runs_the_page_says_so_and_offers_the_rest(service, folder):
    test = opened()
    assert "No recorded runs of this experiment" in captions(test)
    offered = next(g for g in test.segmented_control if g.label == "Scores from").options
    assert offered == [SOURCES[name] for name in (UPLOAD, TYPED, EXAMPLE)]
    assert "score" in captions(test)  # says what the table needs


def test_the_example_shows_its_best_order_and_is_called_typed_in(
    service: RewardService, folder: Path
):
    test = opened(source=EXAMPLE)
    assert "no run stands behind them" in captions(test)
    assert "Predicted best: C \\> A \\> B" in marked(test)
    assert "0.020 above the worst (B \\> A \\> C)" in marked(test)
    assert "greedy rule ends at rank 6" in marked(test)
    assert "All 6 orders" in captions(test)
    bars = charts(test)[0]
    assert bars["data"][0]["x"][0] == pytest.approx(2.0 / 3)
    assert bars["layout"]["yaxis"]["ticktext"][0].startswith("C &gt; A &gt; B  (best")


def test_an_order_of_the_visitors_is_walked_stage_by_stage(service, folder):
    test = opened(source=EXAMPLE)
    select = next(m for m in test.multiselect if m.label == "Order of training")
    select.set_value(["B", "A", "C"])
    settled(test.run())
    path = charts(test)[2]
    ends = {trace["name"]: trace["y"][-1] for trace in path["data"]}
    assert ends == pytest.approx({"A": 0.64, "B": 0.55, "C": 0.75})
    assert "0.6467, rank 6 of 6" in captions(test)


def test_breaking_the_second_assumption_changes_the_prediction(service, folder):
    test = opened(BREAK, EXAMPLE)
    test.slider(key=f"{NAME}-interaction").set_value(0.0)
    test.slider(key=f"{NAME}-saturation").set_value(0.0)
    settled(test.run())
    # Without own gains all effects of all tasks stay: every order ends the same.
    assert "Rank correlation" in captions(test)
    lines = charts(test)[0]["data"]
    ends = [line["y"][1] for line in lines]
    assert max(ends) - min(ends) == pytest.approx(0, abs=1e-12)


def test_recorded_runs_are_read_at_once(service, folder):
    record(folder, planted_table(example(), spread=0.05))
    test = opened()
    assert "Predicted best: c \\> a \\> b" in marked(test)
    assert "stays best in 100%" in marked(test)
    assert "20 problems a task" in captions(test)
    assert "no later score feeds the prediction" in captions(test)


def test_prediction_and_result_are_compared_by_seed_and_together(service, folder):
    record(folder, planted_table(example(), spread=0.05, noise=0.01, n_problems=40))
    test = opened(OBSERVED)
    assert "better than by chance" in marked(test)
    assert "6 orders" in marked(test)
    table = next(d.value for d in test.dataframe if "correlation" in d.value.columns)
    assert list(table["seed"]) == ["seed 0", "seed 1", "mean over seeds"]
    assert table["correlation"].min() > 0.5


def test_a_matrix_from_final_scores_is_called_a_leak(service, folder):
    record(folder, planted_table(example()))
    test = opened(OBSERVED)
    assert not test.warning
    next(g for g in test.segmented_control if g.label == "Matrix from").set_value("all")
    settled(test.run())
    assert "proves little" in test.warning[0].value


def test_held_assumptions_are_not_called_broken(service, folder):
    record(folder, planted_table(example(), spread=0.05))
    test = opened(ASSUMPTIONS)
    assert "No departure is shown" in marked(test)
    assert "0 of 6 effects on other tasks differ" in marked(test)


def test_entropies_and_the_temperature_equivalent(service, folder):
    record(folder, planted_table(example()))
    test = opened(ENTROPY)
    assert "sharpens (-0.100, 95 % interval -0.100 to -0.100" in marked(test)
    target = next(n for n in test.number_input if n.label.startswith("Entropy after"))
    target.set_value(0.4411)
    settled(test.run())
    metric = next(m for m in test.metric if m.label == "Temperature equivalent")
    assert float(metric.value) == pytest.approx(0.5, abs=0.002)
    target = next(n for n in test.number_input if n.label.startswith("Entropy after"))
    target.set_value(3.0)
    test.run()
    assert "No temperature gives" in test.error[0].value


def test_an_uploaded_table_is_read_and_a_damaged_one_explained(service, folder):
    test = opened(source=UPLOAD)
    table = planted_table(example(), n_problems=5)
    data = io.BytesIO()
    table.to_csv(data, index=False)
    test.file_uploader(key=f"{NAME}-file").set_value(("scores.csv", data.getvalue(), "text/csv"))
    settled(test.run())
    assert "Predicted best: c \\> a \\> b" in marked(test)
    test.file_uploader(key=f"{NAME}-file").set_value(
        ("scores.csv", b"order,stage,score\na>b,1,0.5\n", "text/csv")
    )
    test.run()
    assert "has no column task" in test.error[0].value.replace("\\", "")


def test_typed_in_tasks_beyond_eight_are_searched(service, folder):
    test = opened(source=TYPED)
    assert "Every order is predicted to end the same" in marked(test)
    test.text_input(key=f"{NAME}-names").set_value("a,b,c,d,e,f,g,h,i")
    settled(test.run())
    assert "not all were computed" in captions(test)


def test_the_python_of_the_page_runs_and_gives_its_order(service, folder):
    test = opened(source=EXAMPLE)
    (code,) = [c.value for c in test.code if "rank_orders" in c.value]
    scope: dict = {}
    exec(code, scope)
    assert scope["ranking"].named(scope["ranking"].best) == "C > A > B"


def test_the_report_and_a_run_are_offered(service, folder):
    record(folder, planted_table(example(), n_problems=5))
    test = opened()
    assert any(b.key == f"{NAME}-save" for b in test.button)
    source = next(g for g in test.segmented_control if g.label == "Scores from")
    assert source.value == RECORDED
