"""Files as trainers write them become one rollout table."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import TableError
from core.rollouts.answers import AnswerRule
from core.rollouts.files import RolloutFile, find_files
from core.rollouts.readers.base import run_in_name, split_in_name, step_in_name
from core.rollouts.readers.columns import ColumnMapping, guess_mapping
from core.rollouts.reading import peek, read_rollout_files


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def completions(step: int, responses: list[str], **columns: Any) -> pd.DataFrame:
    """What TRL logs at a step, four completions of two prompts."""
    content = {
        "step": step,
        "prompt": [user("1+1?")] * 2 + [user("1+2?")] * 2,
        "completion": [said(each) for each in responses],
        "accuracy_reward": [1.0, 0.0, 1.0, float("nan")],
        "format_reward": [0.5, 0.5, 0.0, float("nan")],
        "advantage": [1.0, -1.0, 1.0, -1.0],
    }
    return pd.DataFrame(content | columns)


def test_trl_completions_with_messages_and_several_reward_functions(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "my-run" / "completions"
    folder.mkdir(parents=True)
    first = completions(10, ["The answer is 2", "3", "3", "4"], solution=["2", "2", "3", "3"])
    first.to_parquet(folder / "completions_00010.parquet")
    second = completions(20, ["2", "The answer is 2.0", "3", "3"], solution=["2", "2", "3", "3"])
    second.to_parquet(folder / "completions_00020.parquet")
    read = read_rollout_files(folder)
    table = read.table
    assert read.formats == {"TRL completions": 2}
    assert set(table["run"]) == {"my-run"}
    assert table["step"].tolist() == [10] * 4 + [20] * 4
    assert table["prompt"].tolist()[:3] == ["1+1?", "1+1?", "1+2?"]
    assert table["problem_id"].nunique() == 2
    assert table["sample"].tolist() == [0, 1] * 4
    assert table["answer"].tolist() == ["2", "3", "3", "4", "2", "2", "3", "3"]
    assert table["correct"].tolist() == [True, False, True, False, True, True, True, True]
    assert table["reward"].tolist()[:3] == [1.5, 0.5, 1.0]
    assert pd.isna(table["reward"].iloc[3])
    assert table["reward accuracy_reward"].tolist()[:2] == [1.0, 0.0]
    assert table["advantage"].tolist()[:2] == [1.0, -1.0]


def test_trl_generations_that_are_logged_again_count_once(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        responses = ["a", "b", "c", "d"] if step < 3 else ["e", "f", "g", "h"]
        completions(step, responses).to_parquet(tmp_path / f"completions_{step:05d}.parquet")
    read = read_rollout_files(tmp_path)
    assert read.table["step"].tolist() == [1] * 4 + [3] * 4
    assert any("logged the same generation batch again" in note for note in read.checked.notes)


def test_verl_dumps_of_training_and_validation(tmp_path: Path) -> None:
    for step in (1, 2):
        rows = [
            {
                "input": "system\nuser\n1+1?\nassistant\n",
                "output": f"The answer is {answer}",
                "gts": "2",
                "score": float(answer == 2),
                "step": step,
                "acc": answer == 2,
                "pred": str(answer),
            }
            for answer in (2, 3)
        ]
        lines(tmp_path / "run-a" / "rollouts" / f"{step}.jsonl", rows)
        lines(tmp_path / "run-a" / "val" / f"{step}.jsonl", rows[:1])
    table = read_rollout_files(tmp_path).table
    assert set(table["run"]) == {"run-a"}
    assert table.groupby("split").size().to_dict() == {"train": 4, "held_out": 2}
    train = table[table["split"] == "train"]
    assert train["correct"].tolist() == [True, False] * 2
    assert train["answer"].tolist() == ["2", "3"] * 2
    assert train["reward"].tolist() == [1.0, 0.0] * 2
    assert sorted(train["step"].unique()) == [1, 2]


def test_verl_dump_without_a_step_column_takes_it_from_its_name(tmp_path: Path) -> None:
    lines(tmp_path / "40.jsonl", [{"input": "q", "output": "2", "score": 1.0}])
    assert read_rollout_files(tmp_path).table["step"].tolist() == [40]


def test_openrlhf_batch_inference_and_sample_table(tmp_path: Path) -> None:
    rows = [{"input": "q", "output": each, "reward": 0.5} for each in ("a", "b")]
    read = read_rollout_files(lines(tmp_path / "iter_3.jsonl", rows))
    assert read.formats == {"OpenRLHF samples": 1}
    assert read.table["step"].tolist() == [3, 3]
    assert read.table["sample"].tolist() == [0, 1]
    sampled = tmp_path / "samples.table.json"
    data = [[5, "Question one? Yes.", 0.1], [6, "Question one? Yes.", 0.3]]
    sampled.write_text(json.dumps({"columns": ["global_step", "text", "reward"], "data": data}))
    read = read_rollout_files(sampled)
    assert read.table["step"].tolist() == [5, 6]
    assert read.table["reward"].tolist() == [0.1, 0.3]
    assert read.table["problem_id"].nunique() == 1
    assert any("one text" in note for note in read.checked.notes)


def test_prime_rl_outputs(tmp_path: Path) -> None:
    rows = [
        {
            "example_id": example,
            "task": "math",
            "prompt": user(f"Question {example}"),
            "completion": said(r"\boxed{4}"),
            "answer": "4",
            "reward": 1.0,
            "is_truncated": False,
            "metrics": {"correct_answer": 1.0},
        }
        for example in (7, 7, 8)
    ]
    lines(tmp_path / "run_default" / "rollouts" / "step_12" / "train_rollouts.jsonl", rows)
    read = read_rollout_files(tmp_path)
    table = read.table
    assert read.formats == {"prime-rl rollouts": 1}
    assert table["step"].tolist() == [12] * 3
    assert table["problem_id"].tolist() == ["math:7", "math:7", "math:8"]
    assert table["sample"].tolist() == [0, 1, 0]
    assert table["correct"].all()
    assert table["truncated"].tolist() == [False] * 3


def trace(name: str, reply: str, reward: float) -> dict[str, Any]:
    """A trace of the verifiers library with a tool call."""
    call = {"id": "1", "name": "python", "arguments": "2+2"}
    return {
        "id": name,
        "task": {"type": "Math", "data": {"idx": 3, "answer": "4"}, "key": "math-3"},
        "nodes": [
            {"message": {"role": "system", "content": "Think."}, "sampled": False},
            {"message": {"role": "user", "content": "2+2?"}, "sampled": False},
            {
                "message": {"role": "assistant", "content": "", "tool_calls": [call]},
                "sampled": True,
            },
            {"message": {"role": "tool", "content": "4"}, "sampled": False},
            {"message": {"role": "assistant", "content": reply}, "sampled": True},
        ],
        "rewards": {"right": {"score": reward, "weight": 2.0}, "form": {"score": 1, "weight": 0.5}},
        "info": {"env_name": "math-env"},
    }


def test_prime_rl_traces_with_tools_and_with_what_the_update_used(tmp_path: Path) -> None:
    base = tmp_path / "rollouts" / "step_4" / "train"
    both = [trace("x", "The answer is 4.", 1.0), trace("y", "The answer is 5.", 0.0)]
    lines(base / "all" / "traces.jsonl", both)
    lines(base / "effective" / "traces.jsonl", both[:1])
    table = read_rollout_files(tmp_path).table
    assert table["reward"].tolist() == [2.5, 0.5]
    assert table["kept"].tolist() == [True, False]
    assert table["problem_id"].tolist() == ["math-3"] * 2
    assert table["answer"].tolist() == ["4", "5"]
    assert table["correct"].tolist() == [True, False]
    assert table["tool_calls"].tolist() == [1, 1]
    assert table["turns"].tolist() == [2, 2]
    assert table["task"].tolist() == ["math-env"] * 2
    assert [each["role"] for each in table["messages"].iloc[0]] == [
        "assistant",
        "tool",
        "assistant",
    ]
    assert table["prompt"].iloc[0] == "system: Think.\n\nuser: 2+2?"


def inspect_sample(name: str, epoch: int, reply: str, value: str) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": epoch,
        "input": f"Question {name}",
        "target": "4",
        "messages": [*user(f"Question {name}"), *said(reply)],
        "output": {
            "choices": [{"message": said(reply)[0], "stop_reason": "stop"}],
            "usage": {"output_tokens": 9},
        },
        "scores": {"match": {"value": value, "answer": reply}},
    }


HEADER = {"version": 2, "eval": {"task": "sums", "model": "vllm/my-policy/checkpoint-200"}}
SAMPLES = [inspect_sample("a", 1, "4", "C"), inspect_sample("a", 2, "5", "I")]


def write_eval(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(HEADER))
        for sample in SAMPLES:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample))
    return path


def test_inspect_logs_of_both_kinds_say_the_same(tmp_path: Path) -> None:
    packed = write_eval(tmp_path / "log.eval")
    plain = tmp_path / "log.json"
    plain.write_text(json.dumps(HEADER | {"samples": SAMPLES}))
    tables = [read_rollout_files(path).table for path in (packed, plain)]
    pd.testing.assert_frame_equal(*tables)
    table = tables[0]
    assert table["step"].tolist() == [200, 200]
    assert set(table["run"]) == {"vllm/my-policy"}
    assert table["sample"].tolist() == [0, 1]
    assert table["correct"].tolist() == [True, False]
    assert table["answer"].tolist() == ["4", "5"]
    assert table["tokens"].tolist() == [9, 9]
    assert set(table["split"]) == {"held_out"}
    assert set(table["task"]) == {"sums"}


def write_zstandard(path: Path, members: dict[str, bytes]) -> Path:
    """A ZIP file packed with Zstandard (method 93), as new versions of Inspect write it.

    Python's own `zipfile` cannot write it before 3.14: the members are written as they are under
    their packed content, and the method, size and checksum put right in both headers.
    """
    import struct
    import zlib

    import pyarrow as pa

    packed = {name: pa.compress(data, codec="zstd", asbytes=True) for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in packed.items():
            archive.writestr(name, data)
        directory = archive.start_dir
        infos = archive.infolist()
    raw = bytearray(path.read_bytes())
    for info in infos:
        data = members[info.filename]
        told = struct.pack("<LLL", zlib.crc32(data), len(packed[info.filename]), len(data))
        struct.pack_into("<H", raw, info.header_offset + 8, 93)
        raw[info.header_offset + 14 : info.header_offset + 26] = told
        struct.pack_into("<H", raw, directory + 10, 93)
        raw[directory + 16 : directory + 28] = told
        directory += 46 + len(info.filename.encode())
    path.write_bytes(raw)
    return path


def zstandard_log(path: Path) -> Path:
    members = {"header.json": json.dumps(HEADER).encode()}
    for sample in SAMPLES:
        name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
        members[name] = json.dumps(sample).encode()
    return write_zstandard(path, members)


def test_an_inspect_log_packed_with_zstandard_says_the_same(tmp_path: Path) -> None:
    new = zstandard_log(tmp_path / "new.eval")
    with zipfile.ZipFile(new) as archive:
        assert {member.compress_type for member in archive.infolist()} == {93}
    old = write_eval(tmp_path / "old.eval")
    tables = [read_rollout_files(path).table for path in (new, old)]
    pd.testing.assert_frame_equal(*tables)


def test_a_damaged_sample_of_a_zstandard_log_costs_only_itself(tmp_path: Path) -> None:
    path = zstandard_log(tmp_path / "log.eval")
    with zipfile.ZipFile(path) as archive:
        last = archive.infolist()[-1]
    raw = bytearray(path.read_bytes())
    raw[last.header_offset + 30 + len(last.filename) + 12] ^= 0xFF
    path.write_bytes(raw)
    read = read_rollout_files(path)
    assert len(read.table) == 1
    assert last.filename in str(read.checked.problems[0])


def test_an_inspect_log_with_one_damaged_sample_keeps_the_other(tmp_path: Path) -> None:
    path = write_eval(tmp_path / "log.eval")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/b_epoch_1.json", '{"id": "b", "epo')
    read = read_rollout_files(path)
    assert len(read.table) == 2
    assert "samples/b_epoch_1.json" in str(read.checked.problems[0])


def test_a_cut_off_inspect_log_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write_eval(tmp_path / "log.eval")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TableError, match="not a complete Inspect log"):
        read_rollout_files(path)


def test_a_plain_table_with_columns_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "Question,Generated,Gold,Score,global_step,note\n"
        "1+1?,The answer is 2,2,1,0,x\n"
        "1+1?,The answer is 3,2,0,0,y\n"
    )
    guessed = guess_mapping(peek(path).columns).columns
    assert guessed == {
        "step": "global_step",
        "prompt": "Question",
        "response": "Generated",
        "reference": "Gold",
        "reward": "Score",
    }
    table = read_rollout_files(path).table
    assert table["correct"].tolist() == [True, False]
    assert table["reward"].tolist() == [1.0, 0.0]
    assert table["note"].tolist() == ["x", "y"]
    assert set(table["run"]) == {"mine"}


def test_a_mapping_of_one_s_own_overrides_what_is_guessed(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", [{"q": "Q", "r": "it says 7 or 8", "v": 0.5}])
    with pytest.raises(TableError, match="which problem") as caught:
        read_rollout_files(path)
    assert "prompt" in caught.value.fix
    mapping = ColumnMapping({"prompt": "q", "response": "r", "reward": "v"}, fixed_step=3)
    read = read_rollout_files(path, mapping=mapping, rule=AnswerRule("last number"))
    assert read.table[["step", "answer", "reward"]].values.tolist() == [[3, "8", 0.5]]
    with pytest.raises(TableError, match="no column 'nope'"):
        read_rollout_files(path, mapping=ColumnMapping({"prompt": "nope", "reward": "v"}))
    with pytest.raises(TableError, match="training step"):
        read_rollout_files(path, mapping=ColumnMapping({"prompt": "q", "reward": "v"}))


def test_a_row_or_file_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    good = {"prompt": "q", "response": "1", "step": 0}
    path = lines(tmp_path / "a.jsonl", [good, good])
    path.write_text(path.read_text() + '{"prompt": "q", "resp')
    frame = pd.DataFrame([good] * 50)
    frame.to_parquet(tmp_path / "b.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])
    read = read_rollout_files(tmp_path)
    assert len(read.table) == 2
    told = [str(problem) for problem in read.checked.problems]
    assert told[0].startswith("a.jsonl, line 3: not JSON")
    assert told[1].startswith("b.parquet: not a complete Parquet file")
    assert read.checked.left_out == {"a row or file that cannot be read": 2}


def test_a_truncated_parquet_file_alone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    pd.DataFrame({"step": [0], "prompt": ["q"], "reward": [1.0]}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TableError, match="not a complete Parquet file") as caught:
        read_rollout_files(path)
    assert caught.value.fix


def test_a_folder_s_links_that_lead_out_of_it_and_hidden_files_are_passed_over(
    tmp_path: Path,
) -> None:
    outside = lines(tmp_path / "secret.jsonl", [{"prompt": "q", "response": "x", "step": 0}])
    folder = tmp_path / "runs"
    lines(folder / "one.jsonl", [{"prompt": "q", "response": "x", "step": 0}])
    (folder / "link.jsonl").symlink_to(outside)
    lines(folder / ".hidden.jsonl", [{"prompt": "q"}])
    assert [file.name for file in find_files(folder)] == ["one.jsonl"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="no rollouts in this folder"):
        find_files(tmp_path / "empty")


def test_a_message_list_and_a_text_are_the_same_prompt_within_their_kind(tmp_path: Path) -> None:
    rows = [
        {"prompt": user("A"), "completion": said("1"), "step": 0},
        {"prompt": user("A"), "completion": said("2"), "step": 0},
        {"prompt": user("B"), "completion": said("1"), "step": 0},
    ]
    table = read_rollout_files(lines(tmp_path / "t.jsonl", rows)).table
    assert table["problem_id"].iloc[0] == table["problem_id"].iloc[1]
    assert table["problem_id"].iloc[0] != table["problem_id"].iloc[2]
    assert table["response"].tolist() == ["1", "2", "1"]


def test_files_in_the_memory_are_read_like_those_on_the_disk(tmp_path: Path) -> None:
    path = lines(tmp_path / "5.jsonl", [{"input": "q", "output": "2", "score": 1.0}])
    given = [RolloutFile("5.jsonl", data=path.read_bytes())]
    ours = read_rollout_files(given).table
    pd.testing.assert_frame_equal(ours, read_rollout_files(path).table)


def test_unread_answers_are_counted(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "response": each, "step": 0} for each in (r"\boxed{1}", "no " * 30)]
    read = read_rollout_files(lines(tmp_path / "t.jsonl", rows))
    assert read.unread == {"no marked answer": 1}
    assert any("1 of 2 answers could not be read" in note for note in read.checked.notes)


@pytest.mark.parametrize(
    ("name", "step", "split", "run"),
    [
        ("completions/completions_00010.parquet", 10, "train", ""),
        ("seed-1/rollouts/40.jsonl", 40, "train", "seed-1"),
        ("a/b/step_7/train_rollouts.jsonl", 7, "train", "a/b"),
        ("val/3.jsonl", 3, "held_out", ""),
        ("global_step_12.parquet", 12, "train", "global_step_12"),
        ("seed0.jsonl", None, "train", "seed0"),
    ],
)
def test_what_names_tell(name: str, step: int | None, split: str, run: str) -> None:
    assert step_in_name(name) == step
    assert split_in_name(name) == split
    assert run_in_name(name, "") == run
