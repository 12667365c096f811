"""Benchmarks read from folders laid out as their authors do, and what is told of damaged rows."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest

from core.errors import TableError
from core.labs.benchmarks.candidates import plan_candidates
from core.tables import parse_table
from core.tables.benchmarks import (
    BenchmarkTable,
    read_benchmark,
    read_hub_benchmark,
    read_own_pairs,
)

STYLES = ["short", "long", "**long**"]


def write_json(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def write_parquet(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
    return path


def problems(table: BenchmarkTable) -> list[str]:
    return [str(problem) for problem in table.problems]


def sides(table: BenchmarkTable, item: str) -> dict[str, list[str]]:
    rows = table.candidates[table.candidates["item_id"] == item].sort_values("place")
    return {side: part["response"].tolist() for side, part in rows.groupby("side")}


class TestRmBench:
    def test_the_file_names_the_domain_and_lists_hold_the_styles(self, tmp_path: Path) -> None:
        row = {"id": 8, "prompt": "Why?", "chosen": STYLES, "rejected": ["a", "b", "c"]}
        write_json(tmp_path / "rm-bench" / "chat.json", row)
        write_json(tmp_path / "rm-bench" / "safety-refuse_filtered.json", row)
        table = read_benchmark("rm-bench", tmp_path)
        assert table.n_items == 2
        assert sides(table, "chat:8") == {"chosen": STYLES, "rejected": ["a", "b", "c"]}
        assert set(table.candidates["subset"]) == {"chat", "safety-refuse"}
        # The same prompt in two files is one prompt for the intervals.
        assert table.candidates["prompt_id"].nunique() == 1
        first = plan_candidates(table.candidates).conversations()[0]
        assert first == [
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "short"},
        ]

    def test_the_total_file_is_taken_alone(self, tmp_path: Path) -> None:
        row = {"id": 1, "prompt": "p", "chosen": STYLES, "rejected": STYLES, "domain": "math"}
        write_json(tmp_path / "total_dataset.json", row)
        write_json(tmp_path / "chat_filtered.json", row)
        table = read_benchmark("rm-bench", tmp_path)
        assert table.files == ("total_dataset.json",)
        assert set(table.candidates["subset"]) == {"math"}
        assert table.notes == ("Passed over: chat_filtered.json.",)

    def test_bad_rows_are_reported_and_the_rest_is_read(self, tmp_path: Path) -> None:
        good = {"id": 1, "prompt": "p", "chosen": STYLES, "rejected": STYLES}
        write_json(
            tmp_path / "chat.json",
            good,
            {**good, "id": 2, "chosen": "text"},
            {**good, "id": 3, "rejected": ["a", None, "c"]},
            {**good, "id": 4, "prompt": 7},
            "no object",
        )
        table = read_benchmark("rm-bench", tmp_path)
        assert table.n_items == 1
        assert problems(table) == [
            "chat.json, row 2, column chosen: expected a list of texts, found text",
            "chat.json, row 3, column rejected: expected a list of texts, found nothing as item 2",
            "chat.json, row 4, column prompt: expected a list of messages, found a number",
            "chat.json, row 5: expected an object with named columns, found text",
        ]


class TestLlmbar:
    ROW: ClassVar[dict[str, Any]] = {
        "input": "Do it.",
        "output_1": "no",
        "output_2": "yes",
        "label": 2,
    }

    def test_the_authors_folders_name_the_subsets(self, tmp_path: Path) -> None:
        base = tmp_path / "Dataset" / "LLMBar"
        write_json(base / "Natural" / "dataset.json", self.ROW)
        write_json(base / "Adversarial" / "GPTInst" / "dataset.json", self.ROW)
        evaluators = base / "Natural" / "evaluators" / "GPT-4" / "result.json"
        write_json(evaluators, {"anything": 1})
        table = read_benchmark("llmbar", tmp_path)
        assert set(table.candidates["subset"]) == {"natural", "adversarial-gptinst"}
        assert sides(table, "natural:row 1") == {"chosen": ["yes"], "rejected": ["no"]}
        assert "evaluators" in table.notes[0]

    def test_a_bad_label_is_reported(self, tmp_path: Path) -> None:
        write_json(tmp_path / "natural.json", self.ROW, {**self.ROW, "label": 3})
        table = read_benchmark("llmbar", tmp_path)
        assert problems(table) == ["natural.json, row 2, column label: expected 1 or 2, found 3"]


class TestRewardBench:
    ROW: ClassVar[dict[str, Any]] = {
        "prompt": "p",
        "chosen": "good",
        "rejected": "bad",
        "subset": "hep-cpp",
        "id": 3,
    }

    def test_the_filtered_split_is_taken_and_prior_sets_are_named_by_their_split(
        self, tmp_path: Path
    ) -> None:
        write_parquet(tmp_path / "data" / "filtered-00000-of-00001.parquet", self.ROW)
        write_parquet(tmp_path / "data" / "raw-00000-of-00001.parquet", self.ROW)
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        prior = {**self.ROW, "prompt": [*turns, {"role": "user", "content": "c"}]}
        write_parquet(tmp_path / "prior" / "anthropic_hhh-00000.parquet", {**prior, "subset": "x"})
        write_parquet(tmp_path / "prior" / "pku_better-00000.parquet", prior)
        table = read_benchmark("rewardbench", tmp_path)
        assert set(table.candidates["subset"]) == {"hep-cpp", "anthropic_hhh"}
        assert table.problems == ()
        prompts = {row["subset"]: row["prompt"] for row in table.candidates.to_dict("records")}
        assert len(prompts["anthropic_hhh"]) == 3
        assert "raw-00000-of-00001.parquet" in table.notes[0]
        assert "pku_better" in table.notes[0]

    def test_repeated_ids_are_still_two_pairs(self, tmp_path: Path) -> None:
        write_parquet(tmp_path / "filtered.parquet", self.ROW, {**self.ROW, "chosen": "other"})
        assert read_benchmark("rewardbench", tmp_path).n_items == 2


class TestRewardBench2:
    ROW: ClassVar[dict[str, Any]] = {
        "id": "1",
        "prompt": "p",
        "chosen": ["a"],
        "rejected": ["b", "c", "d"],
        "subset": "Math",
    }
    TIED: ClassVar[dict[str, Any]] = {
        **ROW,
        "id": "tied:0",
        "chosen": ["a", "b"],
        "subset": "Ties",
        "num_correct": 2,
    }

    def test_items_of_ties_keep_their_ids(self, tmp_path: Path) -> None:
        file = tmp_path / "reward-bench-2" / "data" / "test-00000.parquet"
        write_parquet(file, {**self.ROW, "num_correct": 1}, self.TIED)
        table = read_benchmark("rewardbench2", tmp_path)
        assert set(table.candidates["item_id"]) == {"Math:1", "tied:0"}
        assert sides(table, "tied:0")["chosen"] == ["a", "b"]

    def test_wrong_counts_and_ids_of_ties_are_reported(self, tmp_path: Path) -> None:
        rows = [self.TIED, {**self.TIED, "num_correct": 3}, {**self.TIED, "id": "7"}, self.TIED]
        write_json(tmp_path / "test.json", *rows)
        table = read_benchmark("rewardbench2", tmp_path)
        assert [text.partition(": ")[0] for text in problems(table)] == [
            "test.json, row 2, column num_correct",
            "test.json, row 3, column id",
            "test.json, row 4, column id",
        ]
        assert "expected 2, as many as in chosen, found 3" in problems(table)[0]
        assert "tied:0 is there twice" in problems(table)[2]


class TestPpe:
    def test_human_preferences_and_samples(self, tmp_path: Path) -> None:
        battle = {
            "question_id": "q",
            "prompt": "p",
            "response_1": "one",
            "response_2": "two",
            "model_a": "A",
            "model_b": "B",
            "winner": "model_b",
        }
        human = tmp_path / "PPE-Human-Preference-V1" / "data" / "test-0.parquet"
        write_parquet(human, battle, {**battle, "winner": "tie (bothbad)"})
        samples = {
            "question_id": "q1",
            "model_name": "m",
            "prompt": "p",
            "scores": [True, False],
            "response_1": "right",
            "response_2": "wrong",
            "sampled_conflict_pairs": [[0, 1]],
        }
        write_parquet(tmp_path / "PPE-MMLU-Pro-Best-of-K" / "train-0.parquet", samples)
        table = read_benchmark("ppe", tmp_path)
        assert table.problems == ()
        assert set(table.candidates["subset"]) == {"human-preference", "mmlu-pro"}
        first = table.candidates[table.candidates["item_id"] == "human-preference:row 1"]
        assert first["response"].tolist() == ["two", "one"]
        assert first["model_chosen"].tolist() == ["B", "B"]
        ties = table.candidates.dropna(subset="tie").groupby("item_id")["tie"].first()
        assert ties.tolist() == [False, True]
        drawn = table.candidates[table.candidates["subset"] == "mmlu-pro"]
        assert drawn["gold"].tolist() == [1, 0]
        assert drawn["pairs"].iloc[0] == [[0, 1]]

    def test_damaged_cells_are_reported(self, tmp_path: Path) -> None:
        row = {"question_id": "q", "prompt": "p", "scores": [1, 0], "response_1": "a"}
        write_json(
            tmp_path / "gpqa.json",
            {**row, "response_2": "b"},
            row,
            {**row, "scores": ["yes"]},
            {**row, "response_2": "b", "sampled_conflict_pairs": [[0]]},
        )
        table = read_benchmark("ppe", tmp_path)
        assert [text.partition(": ")[0] for text in problems(table)] == [
            "gpqa.json, row 2, column response_2",
            "gpqa.json, row 3, column scores",
            "gpqa.json, row 4, column sampled_conflict_pairs",
        ]
        assert set(table.candidates["subset"]) == {"gpqa"}


class TestOwnPairs:
    def test_pairs_keep_their_columns_as_slices(self) -> None:
        rows = b'{"prompt": "p", "chosen": "a", "rejected": "b", "topic": "x", "subset": 5}\n'
        (table,) = read_own_pairs(parse_table(rows * 2, "own.jsonl"))
        assert table.name == "pairs"
        assert table.n_items == 2
        assert table.candidates["topic"].tolist() == ["x"] * 4
        # The user's own column of a name that is ours keeps its values.
        assert table.candidates["subset_input"].tolist() == [5] * 4

    def test_lists_of_styles_give_a_style_table_too(self) -> None:
        row = {"prompt": "p", "chosen": STYLES, "rejected": ["d", "e", "f"]}
        rows = json.dumps([row, {**row, "rejected": ["d"]}]).encode()
        pairs, styles = read_own_pairs(parse_table(rows, "own.json"))
        assert pairs.n_items == 9 + 3
        assert styles.name == "styles"
        assert styles.n_items == 1
        assert sides(styles, "row 1")["rejected"] == ["d", "e", "f"]

    def test_a_table_without_pairs_is_refused(self) -> None:
        with pytest.raises(TableError, match="no pairs in it"):
            read_own_pairs(parse_table(b'[{"prompt": "p", "response": "r"}]', "own.json"))

    def test_a_bad_side_loses_its_pair_only(self) -> None:
        rows = [
            {"prompt": "p", "chosen": "a", "rejected": "b"},
            {"prompt": "p", "chosen": None, "rejected": "b"},
        ]
        (table,) = read_own_pairs(parse_table(json.dumps(rows).encode(), "own.json"))
        assert table.n_items == 1
        assert problems(table) == ["own.json, row 2, column chosen: expected text, found nothing"]


class TestFolders:
    def test_a_missing_or_empty_folder_and_an_unknown_name_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="there is no such folder"):
            read_benchmark("rm-bench", tmp_path / "nowhere")
        with pytest.raises(TableError, match="no file of rm-bench in it"):
            read_benchmark("rm-bench", tmp_path)
        with pytest.raises(TableError, match="There is no benchmark 'glue'"):
            read_benchmark("glue", tmp_path)

    def test_a_file_that_is_no_table_is_passed_over(self, tmp_path: Path) -> None:
        row = {"id": 1, "prompt": "p", "chosen": STYLES, "rejected": STYLES}
        write_json(tmp_path / "chat.json", row)
        (tmp_path / "code.json").write_text("{", encoding="utf-8")
        table = read_benchmark("rm-bench", tmp_path)
        assert table.files == ("chat.json",)
        assert "code.json is passed over" in table.notes[0]

    def test_nothing_but_bad_rows_is_an_error_with_the_first_of_them(self, tmp_path: Path) -> None:
        write_json(tmp_path / "chat.json", {"prompt": "p"})
        with pytest.raises(TableError, match=r"row 1, column chosen: expected a list of texts"):
            read_benchmark("rm-bench", tmp_path)

    def test_one_file_may_be_named(self, tmp_path: Path) -> None:
        row = {"id": 1, "prompt": "p", "chosen": STYLES, "rejected": STYLES}
        table = read_benchmark("rm-bench", write_json(tmp_path / "code_filtered.json", row))
        assert set(table.candidates["subset"]) == {"code"}


class TestHub:
    def test_rows_come_through_the_datasets_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, str]] = []

        def load_dataset(name: str, split: str) -> Any:
            asked.append((name, split))
            row = {"id": 1, "prompt": "p", "chosen": STYLES, "rejected": STYLES, "domain": "chat"}
            return SimpleNamespace(to_pandas=lambda: pd.DataFrame([row]))

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        table = read_hub_benchmark("rm-bench")
        assert asked == [("THU-KEG/RM-Bench", "train")]
        assert table.files == ("THU-KEG/RM-Bench/train",)
        assert set(table.candidates["subset"]) == {"chat"}

    def test_without_a_network_the_error_says_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load_dataset(*_args: Any, **_options: Any) -> Any:
            raise ConnectionError("name resolution failed")

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        with pytest.raises(TableError, match="name resolution failed") as caught:
            read_hub_benchmark("rewardbench2")
        assert "Is there a network?" in caught.value.fix

    def test_without_the_library_the_error_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(TableError, match="needs the package datasets"):
            read_hub_benchmark("ppe")

    def test_llmbar_is_read_from_its_authors_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load_dataset(kind: str, data_files: dict[str, str], split: str) -> Any:
            assert kind == "json"
            assert data_files[split].endswith("dataset.json")
            return SimpleNamespace(to_pandas=lambda: pd.DataFrame([TestLlmbar.ROW]))

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        subsets = read_hub_benchmark("llmbar").candidates["subset"]
        assert sorted(set(subsets)) == [
            "adversarial-gptinst",
            "adversarial-gptout",
            "adversarial-manual",
            "adversarial-neighbor",
            "natural",
        ]
