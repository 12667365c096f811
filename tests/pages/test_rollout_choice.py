"""Choosing rollouts on a page: recorded runs, uploads with their mapper, a folder that grows."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from core.rollouts import recorded
from core.training.recorder import RolloutRecorder
from tests.pages.conftest import TIMEOUT_S, until

pytestmark = pytest.mark.usefixtures("service")


def page() -> None:
    """A page that shows what was chosen."""
    import streamlit as st

    from app_pages.common.rollout_choice import choose_rollouts

    chosen = choose_rollouts("lab", collection="sums", needs=("answer",))
    if chosen is not None:
        st.session_state["chosen"] = chosen
        st.text(f"{len(chosen.table)} rollouts of {', '.join(chosen.runs)}")
    else:
        st.session_state["chosen"] = None


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recorded collection of its own in the place of the package's."""
    folder = tmp_path / "rollouts" / "sums"
    folder.mkdir(parents=True)
    runs = [
        {"run": name, "method": method, "seed": 0, "base": method == "base", "recipe": "r"}
        for name, method in (("plain/seed-0", "plain"), ("base/seed-0", "base"))
    ]
    card = {
        "title": "Sums",
        "description": "d",
        "command": "c",
        "findings": [],
        "runs": runs,
        "tables": [],
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    rows = [
        (run, step, "p", sample, str(sample), sample == 1, float(sample == 1))
        for run in ("plain/seed-0", "base/seed-0")
        for step in (0, 1)
        for sample in (0, 1)
    ]
    columns = ["run", "step", "problem_id", "sample", "answer", "correct", "reward"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "rollouts.parquet")
    pd.DataFrame({"problem_id": ["p"], "prompt": ["0+1?"]}).to_parquet(folder / "problems.parquet")
    monkeypatch.setattr(recorded, "rollouts_folder", lambda: folder.parent)
    recorded.collections.cache_clear()
    yield folder
    recorded.collections.cache_clear()


@pytest.fixture
def app(collection: Path) -> AppTest:
    """The page, once the recorded runs are there."""
    return until_chosen(AppTest.from_function(page, default_timeout=TIMEOUT_S).run())


def until_chosen(test: AppTest) -> AppTest:
    return until(test, lambda: test.session_state["chosen"] is not None)


def until_text(test: AppTest, text: str) -> AppTest:
    return until(test, lambda: any(text in each.value for each in test.text))


def test_recorded_runs_are_there_at_once(app: AppTest) -> None:
    chosen = app.session_state["chosen"]
    assert chosen.collection == "sums"
    assert chosen.runs == ("plain/seed-0", "base/seed-0")
    assert chosen.base_runs == ("base/seed-0",)
    assert len(chosen.table) == 8
    assert chosen.table["prompt"].tolist() == ["0+1?"] * 8
    scope: dict[str, pd.DataFrame] = {}
    exec(chosen.python, scope)
    pd.testing.assert_frame_equal(scope["rollouts"], chosen.table)


def test_without_recorded_runs_it_says_so(
    collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (collection / "card.yaml").unlink()
    test = AppTest.from_function(page, default_timeout=TIMEOUT_S).run()
    assert not test.exception
    assert "no recorded runs called" in test.info[0].value
    assert test.session_state["chosen"] is None


def upload(test: AppTest, name: str, content: bytes) -> AppTest:
    test.segmented_control(key="lab-rollouts").set_value("My files").run()
    test.file_uploader(key="lab-rollout-files").set_value([(name, content, "text/plain")])
    return test.run()


def test_an_upload_of_a_known_trainer_needs_nothing_more(app: AppTest) -> None:
    rows = [
        {"input": "q", "output": f"The answer is {n}", "score": 1.0, "step": 3, "gts": "2"}
        for n in (2, 3)
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    test = until_text(upload(app, "3.jsonl", content), "2 rollouts of")
    chosen = test.session_state["chosen"]
    assert chosen.collection is None
    assert chosen.table["answer"].tolist() == ["2", "3"]
    assert chosen.table["correct"].tolist() == [True, False]
    assert any("How they are read: verl" in each.label.replace("\\", "") for each in test.expander)


def test_an_upload_of_a_plain_table_is_mapped_by_hand(app: AppTest) -> None:
    content = b"q,r,points\n1+1?,I say 2,1\n1+1?,I say 3,0\n"
    test = upload(app, "mine.csv", content)
    until(test, lambda: any("which problem" in each.value for each in test.error))
    boxes = {box.label: box for box in test.selectbox}
    boxes["Prompt"].select("q")
    boxes["Response"].select("r")
    boxes["Reward"].select("points")
    boxes["Answers are"].select("last number")
    test.run()
    until_text(test, "2 rollouts of mine")
    chosen = test.session_state["chosen"]
    assert chosen.table["answer"].tolist() == ["2", "3"]
    assert chosen.table["reward"].tolist() == [1.0, 0.0]
    assert chosen.table["step"].tolist() == [0, 0]
    assert "AnswerRule(kind='last number'" in chosen.python


def test_a_table_without_what_the_lab_needs_says_what_it_needs(app: AppTest) -> None:
    content = b"prompt,reward,step\nq,1,0\nq,0,0\n"
    test = upload(app, "bare.csv", content)
    until(test, lambda: bool(test.warning))
    assert "an answer for each response" in test.warning[0].value
    assert test.session_state["chosen"] is None


def test_a_damaged_upload_is_an_error_and_no_crash(app: AppTest) -> None:
    test = upload(app, "cut.parquet", b"PAR1 this is not a table")
    until(test, lambda: bool(test.error))
    assert "not a complete Parquet file" in test.error[0].value.replace("\\", "")


def test_a_folder_is_read_and_read_again_when_it_has_grown(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "served"
    recorder = RolloutRecorder(root / "my-run")
    recorder.record(0, ["q", "q"], ["The answer is 1", "The answer is 2"], {"r": [1.0, 0.0]})
    recorder.flush()
    settings = tmp_path / "settings.toml"
    settings.write_text(f"data_folders = [{str(root)!r}]")
    monkeypatch.setenv("REWARD_WORKBENCH_SETTINGS", str(settings))
    app.segmented_control(key="lab-rollouts").set_value("A folder on the server").run()
    app.text_input(key="lab-rollout-folder").set_value("my-run").run()
    until_text(app, "2 rollouts of my-run")
    recorder.record(1, ["q", "q"], ["The answer is 1", "The answer is 1"], {"r": [1.0, 1.0]})
    recorder.flush()
    app.button(key="lab-rollout-again").click().run()
    until_text(app, "4 rollouts of my-run")
    assert app.session_state["chosen"].table["step"].tolist() == [0, 0, 1, 1]
    # What lies outside the folders the operator names is refused, there or not.
    app.text_input(key="lab-rollout-folder").set_value(str(tmp_path / "rollouts")).run()
    assert "not a folder this server may read" in app.error[0].value.replace("\\", "")


def serve(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the page read the folders under `root`."""
    root.mkdir(parents=True, exist_ok=True)
    settings = tmp_path / "settings.toml"
    settings.write_text(f"data_folders = [{str(root)!r}]")
    monkeypatch.setenv("REWARD_WORKBENCH_SETTINGS", str(settings))


def open_folder(app: AppTest, folder: str) -> AppTest:
    app.segmented_control(key="lab-rollouts").set_value("A folder on the server").run()
    return app.text_input(key="lab-rollout-folder").set_value(folder).run()


def test_answers_that_could_not_be_read_are_counted_on_the_page(app: AppTest) -> None:
    rows = [
        {"prompt": "q", "response": text, "step": 0}
        for text in (
            "The answer is 1",
            "no mark at all, and too long for an answer " * 5,
            "x " * 50,
        )
    ]
    test = upload(app, "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    until_text(test, "3 rollouts of t")
    told = [each.value.replace("\\", "") for each in test.caption]
    assert any("2 of 3 responses (66.7%) have no answer that could be read" in t for t in told)
    assert any("no marked answer (2)" in t for t in told)
    assert any("2 without an answer" in each.label for each in test.expander)
    assert any(each.value.startswith("… ") for each in test.text)


def test_a_large_table_leaves_its_texts_and_reads_those_of_a_problem(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.rollouts.reading.LARGE_ROWS", 3)
    root = tmp_path / "served"
    serve(root, tmp_path, monkeypatch)
    rows = [
        {"run": "r", "step": step, "problem_id": "p", "sample": n, "prompt": "q",
         "response": f"text {step}.{n}", "answer": str(n), "reward": 1.0}
        for step in (0, 1) for n in (0, 1)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(root / "big.parquet")
    until_text(open_folder(app, "big.parquet"), "4 rollouts of r")
    chosen = app.session_state["chosen"]
    assert chosen.table["response"].isna().all()
    samples = chosen.samples("p", 1)
    assert samples["response"].tolist() == ["text 1.0", "text 1.1"]


def test_while_new_files_are_read_what_was_there_stays(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from core.rollouts.reading import read_rollout_files

    may_read, reads = threading.Event(), []
    may_read.set()

    def slowly(*args: object, **given: object) -> object:
        assert may_read.wait(TIMEOUT_S)
        reads.append(len(args[0]))  # type: ignore[arg-type]
        return read_rollout_files(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr("app_pages.common.rollout_sources.read_rollout_files", slowly)
    root = tmp_path / "served"
    serve(root, tmp_path, monkeypatch)
    recorder = RolloutRecorder(root / "my-run")

    def train(step: int) -> None:
        recorder.record(step, ["q"], ["The answer is 1"], {"r": [1.0]})
        recorder.flush()

    train(0)
    until_text(open_folder(app, "my-run"), "1 rollouts of my-run")
    may_read.clear()
    for step in (1, 2, 3):
        # Files come faster than they are read: the first stays on the screen.
        train(step)
        app.button(key="lab-rollout-again").click().run()
        assert len(app.session_state["chosen"].table) == 1
    may_read.set()
    until_text(app, "4 rollouts of my-run")
    # One read at a time: the states in between were skipped.
    assert reads == [1, 2, 4]


@pytest.mark.slow
def test_the_page_follows_a_real_training_while_it_runs(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from tests.tiny import chat_tokenizer, config

    root = tmp_path / "served"
    serve(root, tmp_path, monkeypatch)
    recorder = RolloutRecorder(root / "live", "live")
    seen: list[tuple[int, int]] = []

    class Visitor(TrainerCallback):
        """Looks at the page after every step, while the trainer waits."""

        def on_step_end(self, *_: object, **__: object) -> None:
            if not seen:
                open_folder(app, "live")
            else:
                app.run()
            until_text(app, f"{4 * (len(seen) + 1)} rollouts of live")
            table = app.session_state["chosen"].table
            seen.append((len(table), int(table["step"].max())))

    def right(completions: list[str], **_: object) -> list[float]:
        return [float(len(each)) for each in completions]

    torch.manual_seed(0)
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_config(config("llama")),
        args=GRPOConfig(
            output_dir=str(tmp_path / "trl"), use_cpu=True, report_to="none", max_steps=3,
            per_device_train_batch_size=4, num_generations=4, max_completion_length=4,
            save_strategy="no", disable_tqdm=True, bf16=False, seed=0,
        ),
        processing_class=chat_tokenizer(),
        reward_funcs=[recorder.wrap(right)],
        train_dataset=Dataset.from_list([{"prompt": "What is two plus two?", "answer": "4"}]),
        callbacks=[recorder.callback(), Visitor()],
    )  # fmt: skip
    trainer.train()
    assert seen == [(4, 0), (8, 1), (12, 2)]
