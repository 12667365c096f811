"""The recorder in a real GRPO training of a tiny random model, beside TRL's own log."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from core.rollouts.reading import read_rollout_files
from core.training.recorder import RolloutRecorder
from tests.tiny import chat_tokenizer, config

PROBLEMS = [("What is two plus two?", "4"), ("What is three plus four?", "7")]
STEPS = 3
GROUP = 4


def length(completions: list[str], **_: Any) -> list[float]:
    """Characters of a response."""
    return [float(len(each)) for each in completions]


def has_a(completions: list[str], **_: Any) -> list[float | None]:
    """1 with an "a", none for a response that is empty."""
    return [float("a" in each) if each else None for each in completions]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of what the recorder and of what TRL wrote of the same three steps."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    folder = tmp_path_factory.mktemp("training")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config("llama"))
    recorder = RolloutRecorder(folder / "recorded", "tiny", weights={"has_a": 10.0})
    arguments = GRPOConfig(
        output_dir=str(folder / "trl"),
        use_cpu=True,
        report_to="none",
        max_steps=STEPS,
        per_device_train_batch_size=GROUP * len(PROBLEMS),
        num_generations=GROUP,
        max_completion_length=8,
        logging_steps=1,
        log_completions=True,
        save_strategy="no",
        disable_tqdm=True,
        reward_weights=[1.0, 10.0],
        bf16=False,
        seed=0,
    )
    trainer = GRPOTrainer(
        model=model,
        args=arguments,
        processing_class=chat_tokenizer(),
        reward_funcs=[recorder.wrap(length), recorder.wrap(has_a)],
        train_dataset=Dataset.from_list(
            [{"prompt": prompt, "answer": answer} for prompt, answer in PROBLEMS]
        ),
        callbacks=[recorder.callback()],
    )
    trainer.train()
    return folder / "recorded", folder / "trl" / "completions"


@pytest.mark.slow
def test_recorder_has_every_rollout_of_a_real_training(training: tuple[Path, Path]) -> None:
    read = read_rollout_files(training[0])
    table = read.table
    assert len(table) == STEPS * GROUP * len(PROBLEMS)
    assert sorted(table["step"].unique()) == list(range(STEPS))
    assert set(table["run"]) == {"tiny"}
    assert set(table["split"]) == {"train"}
    assert set(table["prompt"]) == {prompt for prompt, _ in PROBLEMS}
    assert (table.groupby(["step", "problem_id"]).size() == GROUP).all()
    assert table["sample"].max() == GROUP - 1
    assert (table["tokens"] <= 8).all()
    lengths = table["response"].str.len().astype(float)
    assert table["reward length"].tolist() == lengths.tolist()
    expected = lengths + 10.0 * table["reward has_a"].fillna(0.0)
    assert table["reward"].tolist() == expected.tolist()
    assert not read.checked.problems
    # A tiny random model writes no answer, and what has none is not right.
    assert table["correct"].notna().all()


@pytest.mark.slow
def test_trl_s_own_log_of_the_same_training_says_the_same(training: tuple[Path, Path]) -> None:
    recorded = read_rollout_files(training[0]).table
    logged = read_rollout_files(training[1])
    assert logged.formats == {"TRL completions": STEPS}
    assert any("weight 1" in note for note in logged.checked.notes)
    table = logged.table
    # TRL counts the step after the update, the recorder the one that the rollouts were drawn in.
    assert sorted(table["step"].unique()) == [step + 1 for step in range(STEPS)]
    shift = table.assign(step=table["step"] - 1)
    columns = ["step", "problem_id", "response", "reward length"]
    ours, theirs = (
        frame[columns].sort_values(columns, ignore_index=True) for frame in (recorded, shift)
    )
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)


def call(recorder: RolloutRecorder, step: int, responses: list[str], prompt: str = "q") -> None:
    """A reward function's call, as a trainer makes it."""

    class State:
        global_step = step

    recorder.wrap(length)(
        prompts=[prompt] * len(responses),
        completions=responses,
        completion_ids=[[1] * len(each) for each in responses],
        trainer_state=State(),
        answer=["7"] * len(responses),
    )


def test_wrapped_function_gives_its_own_rewards_and_name(tmp_path: Path) -> None:
    wrapped = RolloutRecorder(tmp_path / "run").wrap(length)
    assert wrapped.__name__ == "length"
    assert wrapped(prompts=["q"], completions=["abc"]) == [3.0]


def test_table_can_be_read_while_it_grows(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    seen = []
    for step in range(3):
        call(recorder, step, ["The answer is 7.", "The answer is 8."])
        recorder.flush()
        # A file that another process is writing has another name until it is complete.
        (tmp_path / "run" / ".next.parquet.partial").write_bytes(b"PAR1 half")
        seen.append(len(read_rollout_files(tmp_path / "run").table))
    assert seen == [2, 4, 6]
    table = read_rollout_files(tmp_path / "run").table
    assert table["answer"].tolist() == ["7", "8"] * 3
    assert table["correct"].tolist() == [True, False] * 3
    assert set(table["run"]) == {"run"}


def test_without_the_callback_a_new_step_writes_the_last_one(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    call(recorder, 0, ["a", "bb"])
    assert not list((tmp_path / "run").glob("*.parquet"))
    call(recorder, 1, ["ccc", "d"])
    assert len(list((tmp_path / "run").glob("*.parquet"))) == 1
    recorder.flush()
    assert read_rollout_files(tmp_path / "run").table["step"].tolist() == [0, 0, 1, 1]


def test_several_generations_of_one_step_are_numbered_on(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    call(recorder, 5, ["a", "bb"])
    call(recorder, 5, ["ccc", "d"])
    recorder.flush()
    table = read_rollout_files(tmp_path / "run").table
    assert table["sample"].tolist() == [0, 1, 2, 3]


def test_rollouts_drawn_between_steps_are_held_out(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    callback = recorder.callback()
    callback.on_step_begin(None, None, None)
    call(recorder, 0, ["a", "bb"])
    callback.on_step_end(None, None, None)
    call(recorder, 1, ["ccc", "d"], prompt="never trained on")
    callback.on_evaluate(None, None, None)
    table = read_rollout_files(tmp_path / "run").table
    assert dict(zip(table["response"], table["split"], strict=True)) == {
        "a": "train",
        "bb": "train",
        "ccc": "held_out",
        "d": "held_out",
    }


def test_a_missing_reward_is_missing_in_the_table(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    recorder.record(0, ["q", "q"], ["a", "b"], {"judge": [None, 2.0], "other": [None, 1.0]})
    recorder.flush()
    table = read_rollout_files(tmp_path / "run").table
    assert table["reward"].isna().tolist() == [True, False]
    assert table["reward"].iloc[1] == 3.0


def test_trajectories_keep_their_messages(tmp_path: Path) -> None:
    recorder = RolloutRecorder(tmp_path / "run")
    turns = [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "run", "arguments": "2+2"}}],
        },
        {"role": "tool", "content": "4"},
        {"role": "assistant", "content": "The answer is 4."},
    ]
    recorder.record(0, [[{"role": "user", "content": "2+2?"}]], [turns], {"judge": [1.0]})
    recorder.flush()
    (row,) = read_rollout_files(tmp_path / "run").table.to_dict(orient="records")
    assert row["prompt"] == "2+2?"
    assert row["answer"] == "4"
    assert [message["role"] for message in row["messages"]] == ["assistant", "tool", "assistant"]
    assert row["messages"][0]["tool_calls"][0]["function"]["name"] == "run"
