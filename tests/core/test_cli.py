"""The command line, run for real: files in, tables out, exit statuses, Ctrl-C and resuming."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import core.engine.service
from core.cli import app
from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.schema import Conversation

REPOSITORY = Path(__file__).resolve().parents[2]


def length_reward(conversation: Conversation) -> float:
    """Characters of the response; refuses one particular text."""
    text = conversation[-1]["content"]
    if text == "unscorable":
        raise ValueError("this text has no reward")
    return float(len(text))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RewardService]:
    """The process's service, with two function models and a cache of its own."""
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    made = RewardService(cache=RewardCache(tmp_path / "cache" / "rewards.sqlite", 10**8))
    made.register(FunctionRewardModel("length", length_reward))
    made.register(FunctionRewardModel("brevity", lambda c: -length_reward(c)))
    monkeypatch.setattr(core.engine.service, "_service", made)
    yield made
    made.close()


@pytest.fixture
def run(service: RewardService) -> Callable[..., Result]:
    """Runs the command with arguments."""
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def write_lines(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


PAIRS = (
    {"id": "a", "prompt": "Why?", "chosen": "longer", "rejected": "short", "topic": "x"},
    {"id": "b", "prompt": "How?", "chosen": "same", "rejected": "four", "topic": "y"},
    {"id": "c", "prompt": "When?", "chosen": "no", "rejected": "later", "topic": None},
)


class TestScore:
    def test_one_row_per_conversation_with_the_input_kept(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        result = run(
            "score", "--model", "length", "--input", source, "--output", tmp_path / "o.csv"
        )
        assert result.exit_code == 0, result.output
        frame = pd.read_csv(tmp_path / "o.csv", keep_default_na=False)
        assert frame["reward"].tolist() == [6, 5, 4, 4, 2, 5]
        assert frame["role"].tolist() == ["chosen", "rejected"] * 3
        assert frame["prompt_id"].tolist() == list("aabbcc")
        assert frame["topic"].tolist() == ["x", "x", "y", "y", "", ""]
        assert "6 of 6 conversations scored" in result.stdout

    def test_pairs_and_the_accuracy_with_ties_as_half(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        output = tmp_path / "o.jsonl"
        result = run("score", "-m", "length", "-i", source, "-o", output, "--pairs")
        assert result.exit_code == 0, result.output
        frame = pd.read_json(output, lines=True)
        assert frame["margin"].tolist() == [1, 0, -3]
        assert frame["pair_id"].tolist() == list("abc")
        assert "length: n = 3 pairs of 3 prompts" in result.stdout
        assert "accuracy, ties as half: 0.5000, 95% interval 0.0" in result.stdout
        assert "chosen higher 1, ties 1, rejected higher 1" in result.stdout
        assert "left out: 0 pairs" in result.stdout

    def test_bad_rows_are_named_and_counted_and_the_rest_is_scored(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        rows = [*PAIRS, {**PAIRS[0], "id": "d", "chosen": ["x"]}]
        rows.append({**PAIRS[0], "id": "e", "rejected": "unscorable"})
        source = write_lines(tmp_path / "in.jsonl", *rows)
        output = tmp_path / "o.json"
        result = run("score", "-m", "length", "-i", source, "-o", output, "--pairs")
        assert result.exit_code == 1
        assert "Bad line 4, column chosen: expected text, found a list" in result.stderr
        assert "line 5, rejected: this text has no reward" in result.stdout
        assert "n = 3 pairs of 3 prompts" in result.stdout
        assert "left out: 2 pairs" in result.stdout
        assert "1: column chosen: expected text, found a list" in result.stdout
        assert "1: this text has no reward" in result.stdout
        records = json.loads(output.read_text())
        assert [record["margin"] for record in records] == [1, 0, -3, None, None]
        assert records[3]["reward_rejected"] == 5
        manifest = json.loads((tmp_path / "o.json.manifest.json").read_text())
        assert manifest["details"]["bad_rows"] == [
            "line 4, column chosen: expected text, found a list"
        ]

    def test_strict_stops_at_a_bad_row_before_scoring(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        source = write_lines(tmp_path / "in.jsonl", PAIRS[0], {**PAIRS[1], "chosen": 1}, PAIRS[2])
        output = tmp_path / "o.csv"
        result = run("score", "-m", "length", "-i", source, "-o", output, "--strict")
        assert result.exit_code == 1
        assert "Bad line 2, column chosen: expected text, found a number" in result.stderr
        assert not output.exists()

    def test_strict_stops_at_a_reward_that_fails(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        rows = [{"prompt": "p", "response": r} for r in ("a", "unscorable", "b")]
        source = write_lines(tmp_path / "in.jsonl", *rows)
        command = ("score", "-m", "length", "-i", source, "-o", tmp_path / "o.csv")
        assert run(*command, "--strict").exit_code == 1
        manifest = json.loads((tmp_path / "o.csv.manifest.json").read_text())
        assert manifest["details"]["complete"] is False
        assert run(*command).exit_code == 1

    def test_several_models_share_a_table(self, run: Callable[..., Result], tmp_path: Path) -> None:
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        output = tmp_path / "o.parquet"
        models = ("-m", "length", "-m", "brevity")
        result = run("score", *models, "-i", source, "-o", output, "--pairs")
        assert result.exit_code == 0, result.output
        frame = pd.read_parquet(output)
        margins = {name: part["margin"].tolist() for name, part in frame.groupby("model")}
        assert margins == {"length": [1, 0, -3], "brevity": [-1, 0, 3]}
        manifest = json.loads((tmp_path / "o.parquet.manifest.json").read_text())
        assert [record["id"] for record in manifest["models"]] == ["length", "brevity"]
        assert manifest["seed"] == 0

    def test_second_run_takes_everything_from_the_cache(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        command = ("score", "-m", "length", "-i", source, "-o", tmp_path / "o.csv")
        assert "0 of them from the cache" in run(*command).stdout
        first = (tmp_path / "o.csv").read_bytes()
        assert "6 of them from the cache" in run(*command).stdout
        assert (tmp_path / "o.csv").read_bytes() == first

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("-m", "length", "-i", "absent.csv", "-o", "o.csv"), "there is no such file"),
            (("-m", "length", "-i", "in.jsonl", "-o", "o.xlsx"), "cannot write this kind of file"),
            (("-m", "length", "-i", "in.jsonl", "-o", "in.jsonl"), "are the same file"),
            (("-m", "length", "-i", "in.jsonl", "-o", "no/o.csv"), "there is no folder no"),
            (("-m", "lenght", "-i", "in.jsonl", "-o", "o.csv"), "There is no model 'lenght'"),
            (("-m", "length", "-i", "lone.csv", "-o", "o.csv", "--pairs"), "no pairs in it"),
            (("-m", "length", "-i", "odd.csv", "-o", "o.csv"), "Columns found: a, b"),
            (("-m", "length", "-i", "in.jsonl", "-o", "o.csv", "--shape", "x"), "'x' is not known"),
        ],
    )
    def test_unusable_command_says_why_and_writes_nothing(
        self,
        run: Callable[..., Result],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[str, ...],
        message: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write_lines(tmp_path / "in.jsonl", *PAIRS)
        (tmp_path / "lone.csv").write_text("prompt,response\na,b\n")
        (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
        before = (tmp_path / "in.jsonl").read_bytes()
        result = run("score", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert "Traceback" not in result.output
        assert not (tmp_path / "o.csv").exists()
        assert (tmp_path / "in.jsonl").read_bytes() == before

    @pytest.mark.shared_data
    def test_rm_bench_pairs(
        self, run: Callable[..., Result], tmp_path: Path, shared_data: Path
    ) -> None:
        source = shared_data / "rm-bench" / "chat.json"
        output = tmp_path / "o.parquet"
        result = run("score", "-m", "length", "-i", source, "-o", output, "--pairs")
        assert result.exit_code == 0, result.output
        assert "n = 1,161 pairs of 129 prompts" in result.stdout
        frame = pd.read_parquet(output)
        raw = json.loads(source.read_text(encoding="utf-8"))
        margins = [
            len(chosen) - len(rejected)
            for row in raw
            for chosen in row["chosen"]
            for rejected in row["rejected"]
        ]
        assert frame["margin"].tolist() == margins
        wins = sum(margin > 0 for margin in margins) + 0.5 * margins.count(0)
        assert f"accuracy, ties as half: {wins / 1161:.4f}" in result.stdout


SLOW_SCRIPT = """
import time
from core.cli import main
from core.engine.service import get_service
from core.models.function import FunctionRewardModel

def slow(conversation):
    with open({calls!r}, "a") as file:
        file.write(conversation[-1]["content"] + "\\n")
    time.sleep({pause})
    return float(conversation[-1]["content"])

get_service().register(FunctionRewardModel("slow", slow))
main()
"""


class TestInterrupt:
    n = 400

    def start(self, tmp_path: Path, pause: float) -> "subprocess.Popen[str]":
        script = tmp_path / "slow.py"
        script.write_text(SLOW_SCRIPT.format(calls=str(tmp_path / "calls"), pause=pause))
        environment = os.environ | {
            "REWARD_WORKBENCH_CACHE": str(tmp_path / "cache"),
            "REWARD_WORKBENCH_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(REPOSITORY),
        }
        arguments = ["score", "-m", "slow", "-i", "in.jsonl", "-o", "out.jsonl"]
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self, tmp_path: Path) -> list[str]:
        file = tmp_path / "calls"
        return file.read_text().split() if file.exists() else []

    def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(self, tmp_path: Path) -> None:
        rows = [{"prompt": "p", "response": str(number)} for number in range(self.n)]
        write_lines(tmp_path / "in.jsonl", *rows)

        process = self.start(tmp_path, pause=0.03)
        deadline = time.monotonic() + 120
        while len(self.calls(tmp_path)) < 40 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        assert "Traceback" not in stderr
        assert "unfinished, run again to go on" in stdout

        done = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert 20 < len(done) < self.n
        assert all(row["reward"] == float(row["response"]) for row in done)
        manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
        assert manifest["details"]["complete"] is False

        n_before = len(self.calls(tmp_path))
        process = self.start(tmp_path, pause=0)
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        full = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["reward"] for row in full] == [float(number) for number in range(self.n)]
        # What the first run computed, the batch in flight at the signal included, is not computed
        # again.
        again = self.calls(tmp_path)[n_before:]
        assert len(again) <= self.n - len(done)
        assert not {row["response"] for row in done} & set(again)
        manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
        assert manifest["details"]["complete"] is True


class TestOtherCommands:
    def test_help_answers_quickly_and_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; from core.cli import app; from typer.testing import CliRunner; "
            "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0; "
            "print(sorted({'torch', 'transformers', 'pandas', 'numpy'} & set(sys.modules)))"
        )
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        times = []
        for _ in range(3):
            begin = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            times.append(time.monotonic() - begin)
        assert done.stdout.strip() == "[]"
        assert min(times) < 1.0

    def test_help_names_every_command(self, run: Callable[..., Result]) -> None:
        text = run("--help").stdout
        for command in ("score", "models", "cache", "prepare", "app", "train"):
            assert command in text

    def test_version(self, run: Callable[..., Result]) -> None:
        assert run("--version").stdout.strip() == core.__version__

    def test_cache_info_and_clear(self, run: Callable[..., Result], tmp_path: Path) -> None:
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        assert "rewards  0" in run("cache", "info").stdout
        run("score", "-m", "length", "-i", source, "-o", tmp_path / "o.csv")
        info = run("cache", "info").stdout
        assert "rewards  6" in info
        assert str(tmp_path / "cache") in info
        assert "Dropped 6 rewards" in run("cache", "clear").stdout
        assert "rewards  0" in run("cache", "info").stdout

    def test_models_list_is_tab_separated_for_scripts(self, run: Callable[..., Result]) -> None:
        result = run("models", "list")
        assert result.exit_code == 0, result.output
        rows = [line.split("\t") for line in result.stdout.splitlines()]
        assert rows[0] == ["id", "family", "parameters", "source", "license", "title"]
        assert {len(row) for row in rows} == {6}

    def test_models_add_then_list_and_refusal(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        card = tmp_path / "mine.yaml"
        text = "id: mine\nfamily: sequence-classifier\nsource: {kind: hub, repo: some/model}\n"
        card.write_text(text)
        assert "Added mine" in run("models", "add", card).stdout
        listed = run("models", "list").stdout
        assert "mine\tsequence-classifier\t\tsome/model@main" in listed
        card.write_text(text + "max_length: 64\n")
        refused = run("models", "add", card)
        assert refused.exit_code == 2
        assert "mine" in refused.stderr
        assert run("models", "add", card, "--replace").exit_code == 0

    def test_models_add_names_file_and_field_of_a_bad_card(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        card = tmp_path / "bad.yaml"
        card.write_text(
            "id: bad\nfamily: sequence-classifier\nsource: {kind: hub, repo: a/b}\nx: 1\n"
        )
        result = run("models", "add", card)
        assert result.exit_code == 2
        assert "bad.yaml" in result.stderr
        assert "field x" in result.stderr

    def test_app_passes_options_on_and_runs_in_the_pages_folder(
        self, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.cli.application.app_file", lambda: tmp_path / "app.py")
        (tmp_path / "app.py").write_text("")
        # A stand-in package for the server, which says how it was started.
        package = tmp_path / "streamlit"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(
            "import json, os, sys, pathlib\n"
            "pathlib.Path('started.json').write_text(json.dumps([os.getcwd(), sys.argv[1:]]))\n"
            "sys.exit(3)\n"
        )
        result = run("app", "--server.port=9000")
        assert result.exit_code == 3
        folder, arguments = json.loads((tmp_path / "started.json").read_text())
        assert Path(folder) == tmp_path
        assert arguments == ["run", "--server.port=9000", str(tmp_path / "app.py")]
