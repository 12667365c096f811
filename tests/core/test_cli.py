"""The command line, run for real: files in, tables out, exit statuses, Ctrl-C and resuming."""

import itertools
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
from core.cli.application import app_file
from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.models.base import TokenRewardModel, TokenSequence
from core.models.function import FunctionRewardModel
from core.schema import Conversation
from tests import tiny

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
        assert "line 5, rejected: ValueError: this text has no reward" in result.stdout
        assert "n = 3 pairs of 3 prompts" in result.stdout
        assert "left out: 2 pairs" in result.stdout
        assert "1: column chosen: expected text, found a list" in result.stdout
        assert "1: ValueError: this text has no reward" in result.stdout
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
from core.models.base import TokenRewardModel, TokenSequence
from core.models.function import FunctionRewardModel

def slow(conversation):
    with open({calls!r}, "a") as file:
        file.write(conversation[-1]["content"] + "\\n")
    time.sleep({pause})
    return float(conversation[-1]["content"])

get_service().register(FunctionRewardModel("slow", slow))
main()
"""


class TestRealModel:
    def test_rewards_are_the_models_and_truncation_is_told(
        self,
        run: Callable[..., Result],
        service: RewardService,
        tiny_model: Callable[..., TokenRewardModel],
        tmp_path: Path,
    ) -> None:
        model = tiny_model("llama")
        service.register(model)
        rows = [
            {"prompt": "What is the capital?", "response": "Paris."},
            {"prompt": "What is the capital?", "response": "A city. " * 200},
            {"prompt": "", "response": ""},
        ]
        source = write_lines(tmp_path / "in.jsonl", *rows)
        result = run("score", "-m", "tiny-llama", "-i", source, "-o", tmp_path / "o.jsonl")
        assert result.exit_code == 0, result.output
        assert "1 truncated, 0 failed" in result.stdout
        frame = pd.read_json(tmp_path / "o.jsonl", lines=True)
        for row, scored in zip(rows, frame.to_dict("records"), strict=True):
            # Worked out without the engine: the template, the limit, one forward pass.
            text = f"<s><|user|>\n{row['prompt']}<|end|>\n<|assistant|>\n{row['response']}<|end|>\n"
            ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
            limit = model.card.max_length
            reward = model.rewards([TokenSequence(tuple(ids[:limit]))]).rewards[0]
            assert scored["reward"] == pytest.approx(reward, abs=1e-4)
            assert scored["n_tokens"] == min(len(ids), limit)
            assert scored["truncated"] == max(0, len(ids) - limit)

        manifest = json.loads((tmp_path / "o.jsonl.manifest.json").read_text())
        (record,) = manifest["models"]
        assert record["fingerprint"] == model.fingerprint
        assert record["template_hash"]

    def test_local_folder_is_a_model_name(
        self, run: Callable[..., Result], tiny_folder: Callable[..., Path], tmp_path: Path
    ) -> None:
        folder = tiny_folder("llama")
        source = write_lines(tmp_path / "in.jsonl", *PAIRS)
        result = run("score", "-m", folder, "-i", source, "-o", tmp_path / "o.csv")
        assert result.exit_code == 0, result.output
        frame = pd.read_csv(tmp_path / "o.csv")
        assert set(frame["model"]) == {str(folder)}
        assert frame["reward"].notna().all()
        assert frame["reward"].nunique() > 1
        manifest = json.loads((tmp_path / "o.csv.manifest.json").read_text())
        assert manifest["models"][0]["source"] == {"kind": "local", "path": str(folder)}

    def test_tie_that_truncation_made_is_told(
        self,
        run: Callable[..., Result],
        service: RewardService,
        tiny_model: Callable[..., TokenRewardModel],
        tmp_path: Path,
    ) -> None:
        service.register(tiny_model("llama"))
        same = "word " * 400
        rows = [
            {"prompt": "Why?", "chosen": same + "good", "rejected": same + "bad"},
            {"prompt": "How?", "chosen": "good", "rejected": "bad"},
        ]
        source = write_lines(tmp_path / "in.jsonl", *rows)
        output = tmp_path / "o.parquet"
        result = run("score", "-m", "tiny-llama", "-i", source, "-o", output, "--pairs")
        assert "truncated: 1 pairs have a text cut at the model's limit, 1 of them" in result.stdout
        frame = pd.read_parquet(output)
        assert frame["margin"].iloc[0] == 0
        assert (frame["truncated_chosen"] > 0).tolist() == [True, False]


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
        for command in (
            "score",
            "evaluate",
            "report",
            "models",
            "cache",
            "prepare",
            "app",
            "train",
        ):
            assert command in text

    def test_train_has_its_own_help_and_errors_like_the_others(
        self, run: Callable[..., Result]
    ) -> None:
        assert (
            "reward-model  Train a reward model from preference pairs."
            in run("train", "--help").stdout
        )
        result = run("train", "reward-model", "--recipe", "nosuch")
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: There is no recipe 'nosuch'.")

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

    def test_models_check_tells_a_sound_model_from_another(
        self, run: Callable[..., Result], service: RewardService
    ) -> None:
        sound = run("models", "check", "length")
        assert sound.exit_code == 0, sound.output
        assert "length: holds" in sound.stdout
        assert "noise floor 0" in sound.stdout

        calls = itertools.count()
        service.register(FunctionRewardModel("drifting", lambda _c: float(next(calls))))
        wrong = run("models", "check", "drifting")
        assert wrong.exit_code == 1
        assert "drifting: does not hold" in wrong.stdout
        assert "fails" in wrong.stdout

    def test_failed_line_of_a_check_says_what_to_do(
        self, run: Callable[..., Result], tiny_folder: Callable[..., Path], tmp_path: Path
    ) -> None:
        # Random weights: the line on the good and the bad answer may hold by luck, so take both
        # signs of one model; exactly one of the two can hold.
        failing = []
        for sign in (1, -1):
            name = f"sign{sign}"
            card = tiny.card_content("llama", tiny_folder("llama"), id=name, reward={"sign": sign})
            file = tmp_path / f"{name}.yaml"
            file.write_text(json.dumps(card))  # JSON is YAML
            assert run("models", "add", file).exit_code == 0
            result = run("models", "check", name)
            if "a good answer beats a bad one       fails" in result.stdout:
                failing.append(result)
        (wrong,) = failing
        assert wrong.exit_code == 1
        assert "Fix: " in wrong.stdout
        assert "reward.sign" in wrong.stdout

    def test_models_check_of_an_unknown_name(self, run: Callable[..., Result]) -> None:
        result = run("models", "check", "absent")
        assert result.exit_code == 2
        assert "There is no model 'absent'" in result.stderr

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


STAND_IN_SERVER = """
import json, os, pathlib, sys, time
note = json.dumps([os.getcwd(), sys.argv[1:], os.getpid()])
pathlib.Path("started.part").write_text(note)
os.replace("started.part", "started.json")
if "--wait" in sys.argv:
    time.sleep(120)
sys.exit(3)
"""


class TestApp:
    """The command that opens the pages; a stand-in for the server tells how it was started."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "app.py").write_text("")
        package = tmp_path / "streamlit"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(STAND_IN_SERVER)
        return tmp_path

    def start(self, folder: Path, *options: str) -> "subprocess.Popen[str]":
        code = (
            "import pathlib, sys, core.cli.application as a; from core.cli import main; "
            "file = pathlib.Path(sys.argv.pop(1)); a.app_file = lambda: file; main()"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(folder / "app.py"), "app", *options],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            text=True,
        )

    def started(self, folder: Path) -> tuple[str, list[str], int]:
        deadline = time.monotonic() + 60
        while not (folder / "started.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        working_folder, arguments, process_id = json.loads((folder / "started.json").read_text())
        return working_folder, arguments, process_id

    def test_options_go_to_the_server_which_runs_in_the_pages_folder(self, folder: Path) -> None:
        process = self.start(folder, "--server.port=9000")
        assert process.wait(60) == 3
        working_folder, arguments, _ = self.started(folder)
        assert Path(working_folder) == folder
        assert arguments == ["run", "--server.port=9000", str(folder / "app.py")]

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stopping_the_command_stops_the_server(
        self, folder: Path, number: signal.Signals
    ) -> None:
        process = self.start(folder, "--wait")
        _, _, server = self.started(folder)
        process.send_signal(number)
        assert process.wait(30) == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(server, 0)

    def test_the_checkout_has_its_pages(self) -> None:
        assert app_file() == REPOSITORY / "app.py"
