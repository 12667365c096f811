"""The evaluate command, run for real: files in, scores and a saved run out, Ctrl-C and resuming."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import core.engine.service
from core.cli import app
from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.report import run_report
from core.runs import list_runs
from core.schema import Conversation

REPOSITORY = Path(__file__).resolve().parents[2]


def length_reward(conversation: Conversation) -> float:
    """Characters of the response; refuses one particular text."""
    text = conversation[-1]["content"]
    if text == "unscorable":
        raise ValueError("this text has no reward")
    return float(len(text))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs the command with arguments, with two function models and folders of its own."""
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    service = RewardService(cache=RewardCache(tmp_path / "cache" / "rewards.sqlite", 10**8))
    service.register(FunctionRewardModel("length", length_reward))
    service.register(FunctionRewardModel("brevity", lambda c: -length_reward(c)))
    monkeypatch.setattr(core.engine.service, "_service", service)
    yield lambda *arguments: CliRunner().invoke(app, ["evaluate", *(str(a) for a in arguments)])
    service.close()


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def style_row(number: int, rejected: tuple[str, str, str] = ("b", "bb", "bbb")) -> dict[str, Any]:
    return {
        "id": number,
        "prompt": f"p{number}",
        "chosen": ["a", "aa", "aaa"],
        "rejected": rejected,
    }


def test_rm_bench_without_maths_shows_its_matrix_and_no_official_score(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    write(tmp_path / "rm" / "chat.json", *(style_row(k) for k in range(4)))
    result = run("-m", "length", "-m", "brevity", "-b", "rm-bench", "-d", tmp_path / "rm")
    assert result.exit_code == 0, result.output
    assert "No official RM-Bench score. Missing: chat: 4 of its 129 prompts; math:" in result.stdout
    assert "average of chat" in result.stdout
    (saved,) = list_runs().runs
    assert saved.kind == "evaluation"
    scores = saved.tables["scores"].set_index(["model", "level", "metric"])["value"]
    # Length wins where the chosen response has the longer style, ties where both are alike.
    assert scores["length", "domain", "easy"] == 1
    assert scores["length", "domain", "normal"] == 0
    assert scores["brevity", "domain", "hard"] == 1
    assert set(saved.tables["matrix"]["model"]) == {"length", "brevity"}
    assert saved.manifest["seed"] == 0
    assert [record["id"] for record in saved.manifest["models"]] == ["length", "brevity"]
    assert saved.manifest["details"]["complete"] is True
    assert f"saved as {saved.id}" in result.stdout
    report = run_report(saved)
    assert "Style against substance" in report
    assert "could not be drawn from this run" not in report


def test_the_python_of_a_run_gives_its_numbers_again(
    run: Callable[..., Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "rm" / "chat.json", *(style_row(k) for k in range(4)))
    assert run("-m", "length", "-b", "rm-bench", "-d", tmp_path / "rm").exit_code == 0
    (saved,) = list_runs().runs
    exec(saved.python, {})
    printed = capsys.readouterr().out
    assert "average of chat" in printed
    assert len(printed.splitlines()) == len(saved.tables["scores"]) + 2


def test_own_pairs_by_slice_and_as_a_style_matrix(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    rows = [{**style_row(k), "topic": "even" if k % 2 == 0 else "odd"} for k in range(6)]
    source = write(tmp_path / "own.json", *rows)
    result = run("-m", "length", "-b", source, "-o", tmp_path / "runs", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "topic = even" in result.stdout
    (saved,) = list_runs(tmp_path / "runs").runs
    assert list_runs().runs == ()
    overall = saved.tables["scores"].query("level == 'overall' and metric == 'accuracy'").iloc[0]
    # Of nine pairs a row three are won and three tied.
    assert overall["value"] == 0.5
    assert overall["n"] == 54
    assert overall["n_prompts"] == 6
    assert saved.tables["styles_matrix"]["value"].sum() == 3
    assert saved.options["slices"] == ["topic"]
    assert saved.options["seed"] == 3


def test_bad_rows_and_failed_rewards_are_told_and_the_rest_counts(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    good = {"prompt": "p", "chosen": "long", "rejected": "s"}
    rows = [good, {**good, "chosen": 7}, {**good, "rejected": "unscorable"}]
    result = run("-m", "length", "-b", write(tmp_path / "own.json", *rows))
    assert result.exit_code == 1
    assert "Bad row: own.json, row 2, column chosen: expected text, found a number" in result.stderr
    assert "Left out: 1 (1: ValueError: this text has no reward)" in result.stdout
    (saved,) = list_runs().runs
    assert saved.tables["scores"]["n"].tolist() == [1]
    assert saved.manifest["details"]["left_out"] == {
        "length": {"ValueError: this text has no reward": 1}
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-m", "length", "-b", "glue", "-d", "."), "There is no benchmark 'glue'"),
        (("-m", "length", "-b", "rm-bench", "-d", "nowhere"), "there is no such folder"),
        (("-m", "lenght", "-b", "own.json"), "There is no model 'lenght'"),
        (("-m", "length", "-b", "absent.json"), "there is no such file"),
        (("-m", "length", "-b", "lone.json"), "no pairs in it"),
        (("-m", "length", "-b", "other.json"), "Columns found: question, good, bad."),
        (
            ("-m", "length", "-b", "own.json", "--slice", "tpoic"),
            "own.json: there is no column 'tpoic' to slice by. Its own columns: topic.",
        ),
        (("-m", "length", "-b", "rm-bench", "-d", "rm", "--slice", "x"), "Leave --slice out"),
        (("-m", "length", "-b", "own.json", "-o", "own.json"), "this is a file. Name a folder."),
        (("-m", "length", "-b", "own.json", "--seed", "-1"), "Invalid value for '--seed'"),
        (("-m", "length", "-b", "rm-bench", "-d", "."), "And 2 more files."),
    ],
)
def test_unusable_command_says_why_and_saves_nothing(
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own.json", {"prompt": "p", "chosen": "a", "rejected": "b", "topic": "t"})
    write(tmp_path / "lone.json", {"prompt": "p", "response": "a"})
    write(tmp_path / "other.json", {"question": "p", "good": "a", "bad": "b"})
    write(tmp_path / "rm" / "chat.json", style_row(0))
    for number in range(5 if "." in arguments else 0):
        (tmp_path / f"note-{number}.json").write_text('{"a": 1}', encoding="utf-8")
    if "." in arguments:
        (tmp_path / "rm" / "chat.json").unlink()
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert list_runs().runs == ()


SLOW_SCRIPT = """
import time
from core.cli import main
from core.engine.service import get_service
from core.models.function import FunctionRewardModel

def slow(conversation):
    with open({calls!r}, "a") as file:
        file.write("x")
    time.sleep({pause})
    return float(len(conversation[-1]["content"]))

get_service().register(FunctionRewardModel("slow", slow))
main()
"""


@pytest.mark.slow
class TestInterrupt:
    n = 300

    def start(self, tmp_path: Path, pause: float) -> "subprocess.Popen[str]":
        script = tmp_path / "slow.py"
        script.write_text(SLOW_SCRIPT.format(calls=str(tmp_path / "calls"), pause=pause))
        environment = os.environ | {
            "REWARD_WORKBENCH_CACHE": str(tmp_path / "cache"),
            "REWARD_WORKBENCH_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(REPOSITORY),
        }
        return subprocess.Popen(
            [sys.executable, str(script), "evaluate", "-m", "slow", "-b", "own.json", "-o", "runs"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_ctrl_c_keeps_what_is_done_and_a_second_run_goes_on(self, tmp_path: Path) -> None:
        rows = [
            {"prompt": f"p{k}", "chosen": "c" * (k + 2), "rejected": "r" * (k + 1)}
            for k in range(self.n)
        ]
        write(tmp_path / "own.json", *rows)
        process = self.start(tmp_path, 0.05)
        calls, deadline = tmp_path / "calls", time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if calls.exists() and calls.stat().st_size > 20:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        assert "unfinished, run again to go on" in stdout
        assert "Stopped before the end" in stdout
        (first,) = list_runs(tmp_path / "runs").runs
        assert first.manifest["details"]["complete"] is False
        n_done = int(first.tables["scores"]["n"].iloc[0])
        assert 0 < n_done < self.n
        n_calls = calls.stat().st_size

        process = self.start(tmp_path, 0.0)
        _stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        second = list_runs(tmp_path / "runs").runs[0]
        scores = second.tables["scores"]
        assert scores["n"].iloc[0] == self.n
        assert scores["value"].iloc[0] == 1
        # What the first run scored is not scored again; one batch may have been in flight.
        assert calls.stat().st_size - n_calls < 2 * self.n - 20
