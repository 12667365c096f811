"""The collapse page on a small recorded collection whose numbers are known by hand."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.collapse.setup import NAME
from core.labs.collapse.analysis import CollapseOptions, analyse
from core.rollouts import recorded
from tests.core.labs.collapse.tables import rollouts

PAGE = "app_pages/labs/collapse.py"
OVERVIEW, PROBLEMS, AT_K, BONUS = (
    ":material/insights: Overview",
    ":material/grid_on: Problems",
    ":material/stacked_line_chart: pass@k",
    ":material/explore: Bonus explorer",
)
WAITING = ("Reading the recorded", "Counting the answers")
WAIT_S = 120
BASE, TRAINED = "base/seed-0", "plain/seed-0"
FINDING = "Something came out."
GROUPS = {
    (BASE, 0, "easy"): ["r", "x", "y", "z"],
    (BASE, 1, "easy"): ["r", "x", "y", "z"],
    (TRAINED, 0, "easy"): ["r", "x", "y", "z"],
    (TRAINED, 1, "easy"): ["r", "r", "r", "r"],
    **{(BASE, s, hard): ["a", "b", "c", "d"] for s in (0, 1) for hard in ("hard", "harder")},
    **{(TRAINED, 0, hard): ["a", "b", "c", "d"] for hard in ("hard", "harder")},
    (TRAINED, 1, "hard"): ["a", "a", "a", "a"],
    (TRAINED, 1, "harder"): ["a", "a", "b", "b"],
}


def table() -> pd.DataFrame:
    train = rollouts(GROUPS).assign(split="train")
    again = rollouts({(TRAINED, 1, "easy"): ["r"] * 4, (TRAINED, 1, "hard"): ["a"] * 4})
    return pd.concat([train, again.assign(split="checkpoint")], ignore_index=True)


def record(rows: pd.DataFrame, folder: Path) -> None:
    """Writes a collection as the package keeps it."""
    folder.mkdir(parents=True)
    rows.drop(columns="prompt").to_parquet(folder / "rollouts.parquet")
    rows[["problem_id", "prompt"]].drop_duplicates().to_parquet(folder / "problems.parquet")
    runs = [
        {"run": run, "method": run.partition("/")[0], "seed": 0, "base": run == BASE, "recipe": ""}
        for run in rows["run"].unique()
    ]
    card = {"title": "Tiny runs", "description": "", "command": "", "findings": [FINDING]}
    (folder / "card.yaml").write_text(yaml.safe_dump(card | {"runs": runs, "tables": []}))


@pytest.fixture
def recorded_runs(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A data folder that holds one collection, read by the real reader."""
    record(getattr(request, "param", table)(), tmp_path / "data" / "rollouts" / NAME)
    monkeypatch.setattr(recorded, "data_folder", lambda: tmp_path / "data")
    recorded.collections.cache_clear()
    yield
    recorded.collections.cache_clear()


@pytest.fixture
def page(app: AppTest, recorded_runs: None) -> AppTest:
    app.default_timeout = WAIT_S
    app.run()
    app.switch_page(PAGE).run()
    return settled(app)


def settled(test: AppTest) -> AppTest:
    """Runs the page until it waits for nothing; the whole analysis may take a while."""
    deadline = time.monotonic() + WAIT_S
    while any(word in caption.value for caption in test.caption for word in WAITING):
        assert not test.exception, test.exception
        assert time.monotonic() < deadline, [caption.value for caption in test.caption]
        time.sleep(0.2)
        test.run()
    assert not test.exception, test.exception
    return test


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = tab
    return settled(test.run())


def said(test: AppTest) -> str:
    texts = [element.value for element in (*test.markdown, *test.caption)]
    return "\n".join(texts).replace("\\", "")


def charts(test: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def test_first_screen_asks_the_question_and_answers_it_without_a_click(page: AppTest):
    text = said(page)
    assert "Does RL on outcomes lose answers on problems it never solved, too?" in text
    # hard: 4 -> 1 answers, harder: 4 -> 2; the base stays at 4 on both.
    assert "Fewer distinct answers than the base: plain (-2.50)." in text
    assert "n = 2 run × problem pairs, 2 problems" in text
    assert not page.exception


def test_curves_are_read_at_equal_samples_beside_the_base(page: AppTest):
    page.session_state[choice(page, "cohort")] = "unsolved at end"
    settled(page.run())
    assert "after 8 samples: plain 4.0 against 4.0 of the base" in said(page)
    assert "3 problems, 8 samples of each in every run" in said(page)


def choice(test: AppTest, name: str) -> str:
    return next(
        group.key for group in test.button_group if str(group.key).startswith(f"{NAME}-{name}-")
    )


def test_a_cell_of_the_map_opens_the_samples_behind_it(page: AppTest):
    opened(page, PROBLEMS)
    cells = [
        point
        for chart in charts(page)
        for trace in chart["data"]
        if trace.get("type") == "scatter" and trace.get("customdata")
        for point in trace["customdata"]
    ]
    assert ["hard", 1] in cells
    point = {"customdata": ["hard", 1]}
    page.session_state[f"{NAME}-map"] = {"selection": {"points": [point]}}
    settled(page.run())
    assert "What is hard?" in said(page)
    assert "4 distinct answers in 8 samples so far, 0 right: not solved yet." in said(page)
    samples = next(frame.value for frame in page.dataframe if "answer" in frame.value.columns)
    assert samples["answer"].tolist() == ["a", "a", "a", "a"]


def test_classes_are_told_with_their_definitions(page: AppTest):
    opened(page, PROBLEMS)
    # Two steps make two windows; "easy" ends right throughout, "hard" wrong, "harder" undecided.
    assert "33% collapsed right (1), 33% collapsed wrong (1), 33% still diverse (1)" in said(page)
    assert "at least 90% of the window's answers are one wrong answer" in said(page)


def test_history_and_policy_are_told_apart(page: AppTest):
    opened(page, AT_K)
    assert "Historical coverage" in page.warning[0].value
    page.session_state[choice(page, "at-k-method")] = "plain"
    settled(page.run())
    assert "plain has ever solved 33% of its training problems" in said(page)
    assert "its pass@4 at the last checkpoint is 50%" in said(page)


def test_changing_the_bonus_moves_the_ranking(page: AppTest):
    opened(page, BONUS)
    page.selectbox(key=f"{NAME}-bonus-status").set_value("all wrong")
    settled(page.run())
    problem = next(s for s in page.selectbox if s.label == "Problem")
    problem.set_value("harder")
    settled(page.run())
    step = next(s for s in page.select_slider if s.label == "Step")
    step.set_value(1)
    settled(page.run())
    # N is 1 for a and b: both get 1 - 0.5, so the advantages move together and no rank does.
    (metric,) = page.metric
    assert metric.value == "0 of 4"
    frame = next(f.value for f in page.dataframe if "bonus" in f.value.columns)
    assert frame["bonus"].tolist() == [0.5] * 4
    assert frame["advantage_with_bonus"].tolist() == pytest.approx([0.1] * 4)
    page.session_state[choice(page, "scheme")] = "batch"
    settled(page.run())
    frame = next(f.value for f in page.dataframe if "bonus" in f.value.columns)
    assert frame["bonus"].tolist() == [-0.25] * 4


def test_a_window_that_leaves_nothing_is_said_not_shown(page: AppTest):
    page.select_slider(key=f"{NAME}-k").set_value(32)
    settled(page.run())
    # Two problems have 4 samples a window: pass@32 has no value, and it says so by not flagging.
    assert "In none of the 2 runs" in said(page)
    assert not page.exception


def test_the_python_that_is_shown_gives_the_same_result(page: AppTest):
    code = next(block.value for block in page.code if "analyse(" in block.value)
    namespace: dict = {}
    exec(code.split("for name, table")[0], namespace)
    expected = analyse(table(), [BASE], CollapseOptions())
    effect = namespace["result"].spreads["difference"].effects["plain"]
    assert effect == expected.spreads["difference"].effects["plain"]


def test_what_came_out_of_the_recorded_runs_is_told(page: AppTest):
    assert FINDING in said(page)


def test_pass_at_k_is_told_beside_the_base(page: AppTest):
    opened(page, AT_K)
    # Late in training, the last of two steps: one problem in three is right throughout; of the base
    # one sample in four of the same problem, so 1/12 and, among all four, 1/3.
    assert "pass@1: plain 0.33, base 0.08; pass@4: plain 0.33, base 0.33" in said(page)
    assert "distinct answers among 4 (all problems): plain 1.3, base 4.0" in said(page)


def without_rewards() -> pd.DataFrame:
    return table().assign(reward=float("nan"))


def without_verdicts() -> pd.DataFrame:
    rows = table()
    return rows.assign(correct=pd.Series(pd.NA, index=rows.index, dtype="boolean"))


def one_problem_of_one_step() -> pd.DataFrame:
    return rollouts({(TRAINED, 0, "easy"): ["r", "x"]}).assign(split="train")


def unreadable() -> pd.DataFrame:
    rows = table()
    return rows.assign(answer=rows["answer"].where(rows["problem_id"] != "hard", None))


@pytest.mark.parametrize(
    "recorded_runs",
    [without_rewards, without_verdicts, one_problem_of_one_step, unreadable],
    indirect=True,
)
def test_every_view_stands_on_damaged_rollouts(page: AppTest):
    for tab in (PROBLEMS, AT_K, BONUS, OVERVIEW):
        opened(page, tab)
        assert not page.exception
    for status in ("all wrong", "all right", "mixed"):
        opened(page, BONUS)
        page.selectbox(key=f"{NAME}-bonus-status").set_value(status)
        settled(page.run())
    assert "Take it along" in said(page)
