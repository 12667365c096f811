"""The tool errors page on a recorded collection whose rates are known by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.trajectories.count_rules import count_rules
from app_pages.common.trajectories.setup import NAME
from core.engine.service import RewardService
from core.labs.trajectories.penalties import penalise
from core.labs.trajectories.updates import UpdateOptions, weigh
from core.rollouts import recorded
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/tool_errors.py"
TABS = {
    "rates": ":material/show_chart: Errors over training",
    "group": ":material/search: One group",
    "weights": ":material/balance: What updates weigh",
    "trap": ":material/build: Without a tool",
}
WAITING = ("Reading", "Counting", "Weighing", "Comparing")

CALL = '<tool_call>{"name": "python", "arguments": {"code": "1"}}</tool_call>'


def text(calls: int, errors: int) -> str:
    results = ["ZeroDivisionError: division by zero"] * errors + ["7"] * (calls - errors)
    turns = "".join(f"{CALL}<tool_response>{each}</tool_response>" for each in results)
    return f"{turns}<reason>so</reason><answer>\\boxed{{7}}</answer>"


PATTERN = (
    *((True, 4, 1), (True, 3, 0), (True, 5, 2), (True, 0, 0)),
    *((False, 2, 2), (False, 1, 0), (False, 0, 0), (False, 4, 4)),
)
"""Right, calls, errors of the rollouts of every group: micro .25 and macro .2167 of the right."""


def collection(folder: Path) -> pd.DataFrame:
    """Two methods, two seeds, six steps, three problems; roc has no errors in its second half."""
    rows = []
    for run in ("plain/seed-0", "plain/seed-1", "roc-code/seed-0"):
        for step in range(6):
            for problem in range(3):
                for sample, (right, calls, errors) in enumerate(PATTERN):
                    clean = run.startswith("roc") and step >= 3
                    failed = 0 if clean else errors
                    counts = (right, float(right), calls, failed, calls + 1, 10 + calls)
                    answer = (text(calls, failed), "7", 1)
                    rows.append((run, step, f"p{problem}", sample, *counts, *answer))
    columns = ["run", "step", "problem_id", "sample", "correct", "reward", "tool_calls"]
    columns += ["tool_errors", "turns", "tokens", "response", "answer", "answer_tags"]
    table = pd.DataFrame(rows, columns=columns).assign(split="train")
    folder.mkdir(parents=True)
    table.to_parquet(folder / "rollouts.parquet")
    problems = {"problem_id": ["p0", "p1", "p2"], "prompt": ["3+4?"] * 3}
    pd.DataFrame(problems).to_parquet(folder / "problems.parquet")
    card = {
        "title": "Tool errors", "description": "made for a test", "command": "none",
        "findings": [], "tables": [],
        "runs": [
            {"run": run, "method": run.partition("/")[0], "seed": 0, "base": False, "recipe": "x"}
            for run in table["run"].unique()
        ],
    }  # fmt: skip
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    return table


@pytest.fixture
def rollouts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pd.DataFrame:
    table = collection(tmp_path / "recorded" / "tool-errors")
    monkeypatch.setattr(recorded, "rollouts_folder", lambda: tmp_path / "recorded")
    recorded.collections.cache_clear()
    yield table
    recorded.collections.cache_clear()


@pytest.fixture
def lab(service: RewardService, rollouts: pd.DataFrame) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.run()
    return settled(test.switch_page(PAGE).run())


def settled(test: AppTest) -> AppTest:
    return until(test, lambda: not any(word in c.value for c in test.caption for word in WAITING))


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = TABS[tab]
    return settled(test.run())


def marked(test: AppTest) -> str:
    """What stands on the page, without the marks that keep texts from being read as markup."""
    return "\n".join(element.value for element in test.markdown).replace("\\", "")


def test_the_first_screen_asks_and_shows_the_recorded_rates_at_once(lab: AppTest) -> None:
    assert not lab.exception
    shown = marked(lab)
    assert "Do right answers teach a model to live with failed tool calls?" in shown
    assert "plain: failed tool calls / tool calls in right rollouts went from 25.0%" in shown
    assert "roc-code: failed tool calls / tool calls in right rollouts went from 25.0%" in shown
    assert len(lab.get("plotly_chart")) >= 2


def test_the_last_window_of_each_line_is_the_rate_by_hand(lab: AppTest) -> None:
    lines = [line for line in marked(lab).splitlines() if "right rollouts went from" in line]
    plain, roc = lines
    assert "to 25.0%" in plain
    assert "to 0.0%" in roc
    # One step a window: 2 seeds x 3 problems x 3 right rollouts with a call, 1 without.
    assert "n = 18 rollouts of 3 problems at the end, 6 without" in plain


def test_macro_gives_every_rollout_the_same_weight(lab: AppTest) -> None:
    control = next(c for c in lab.get("button_group") if str(c.key).startswith(f"{NAME}-measure"))
    control.set_value("macro")
    settled(lab.run())
    assert "right rollouts went from 21.7%" in marked(lab)


def test_a_group_shows_who_is_kept_and_what_weighs(lab: AppTest) -> None:
    opened(lab, "group")
    assert "4 right and 4 wrong; resampled" in marked(lab)
    # Of the four right rollouts two have a failed call, and all four weigh the same.
    assert "50% lies on right but messy rollouts when every rollout enters" in marked(lab)
    assert "2 right and 2 wrong enter the update" in marked(lab)
    table = lab.dataframe[0].value
    kept = table.loc[table["kept"], "rollout"].tolist()
    # Penalties of the right ones: 1/4, 0/3, 2/5 and 0.5 without a call.
    assert kept == ["✓ 1", "✓ 0", *kept[2:]]
    assert set(kept[2:]) == {"✗ 4", "✗ 5"}
    assert "<tool_call>" in lab.code[0].value
    control = next(c for c in lab.get("button_group") if str(c.key).startswith(f"{NAME}-strategy"))
    control.set_value("none")
    settled(lab.run())
    assert not lab.exception
    assert "4 right and 4 wrong; kept whole" in marked(lab)
    assert lab.dataframe[0].value["kept"].all()


def test_weights_are_those_of_the_lab(lab: AppTest, rollouts: pd.DataFrame) -> None:
    opened(lab, "weights")
    assert not lab.exception
    expected = weigh(penalise(rollouts), UpdateOptions("roc-code", most_groups=300))
    assert f"{expected.before.value:.1%}" in marked(lab)
    points = f"{100 * expected.change.value:+.1f} points"
    line = next(x for x in marked(lab).splitlines() if x.startswith("- **roc-code"))
    assert points in line


def test_the_trap_counts_the_meetings(lab: AppTest) -> None:
    opened(lab, "trap")
    assert not lab.exception
    # 3 runs x 6 steps x 3 problems, one of four right rollouts without a call.
    assert "54 of 216 right rollouts call no tool" in marked(lab)
    assert "the higher one in 100.0%" in marked(lab)


def test_count_rules_of_the_paper_and_the_code() -> None:
    told = count_rules(7, 25, 16)
    assert "paper's rule keeps 4 right and 12 wrong" in told
    assert "released code keeps 4 right and 12 wrong" in told
    assert "the rounded counts are 4 and 4" in count_rules(7, 7, 7)
    assert "All 8 rollouts are right" in count_rules(8, 0, 4)
    assert "cannot keep more" in count_rules(1, 1, 4)
    # The minimum decides: 1 right of 8 rounds to none of 4.
    assert "released code keeps 1 right and 3 wrong" in count_rules(1, 7, 4, 1)
    assert "released code keeps 0 right and 4 wrong" in count_rules(1, 7, 4, 0)


def test_reading_the_text_as_released_finds_no_turns(lab: AppTest) -> None:
    lab.selectbox(key=f"{NAME}-form-3").set_value("as the released code")
    settled(lab.run())
    assert not lab.exception
    assert "right rollouts went from 25.0%" in marked(lab)
    opened(lab, "group")
    table = lab.dataframe[0].value
    assert (table["p_format"] == 1).all()


def message(role: str, content: str, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def test_chat_messages_of_ones_own_are_counted(lab: AppTest) -> None:
    call = [{"function": {"name": "python", "arguments": "{}"}}]
    rows = []
    for right, results in ((True, ["7", "ValueError: no"]), (True, ["7"]), (False, ["error"])):
        turns = [message("user", "3+4?")]
        for result in results:
            turns += [message("assistant", "", tool_calls=call), message("tool", result)]
        turns.append(message("assistant", "<answer>7</answer>"))
        rows.append({"step": 0, "problem_id": "p", "correct": right, "messages": turns})
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    lab.segmented_control(key=f"{NAME}-rollouts").set_value("My files").run()
    upload = lab.file_uploader(key=f"{NAME}-rollout-files")
    upload.set_value([("own.jsonl", content, "application/json")])
    settled(lab.run())
    until(lab, lambda: "right rollouts went" in marked(lab))
    assert not lab.exception
    # Two right rollouts with one failed call of three, the wrong one with one of one.
    assert "right rollouts went from 33.3%" in marked(lab)


def test_the_python_that_is_shown_gives_the_same_numbers(
    lab: AppTest, capsys: pytest.CaptureFixture[str]
) -> None:
    code = next(block.value for block in lab.code if "error_rates" in block.value)
    scope: dict[str, object] = {}
    exec(code, scope)
    rates = scope["rates"].rates
    first = rates.query("line == 'plain' and side == 'right' and measure == 'micro'").iloc[0]
    assert first["value"] == pytest.approx(0.25)
    assert "Weighing" not in capsys.readouterr().err


def test_without_recorded_runs_the_page_says_so(
    service: RewardService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recorded, "rollouts_folder", lambda: tmp_path)
    recorded.collections.cache_clear()
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.run()
    test.switch_page(PAGE).run()
    recorded.collections.cache_clear()
    assert not test.exception
    assert any("no recorded runs" in info.value for info in test.info)
