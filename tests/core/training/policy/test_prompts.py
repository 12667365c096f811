"""The authored open prompts, and damaged lists of them."""

from pathlib import Path

import pytest

from core.errors import TableError
from core.training.policy.prompts import read_open_prompts

LINE = '{"problem_id": "a", "task": "advice", "prompt": "What helps?"}'


def test_the_authored_prompts_are_spread_over_three_tasks() -> None:
    found = read_open_prompts()
    tasks = [each.task for each in found]
    assert {task: tasks.count(task) for task in set(tasks)} == {
        "creative": 8,
        "advice": 8,
        "explanation": 8,
    }
    assert len({each.prompt for each in found}) == 24


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no prompts"),
        (LINE + "\n" + LINE, "line 2: a is there twice"),
        (LINE + "\n{", "line 2"),
        ('{"problem_id": "a"}', "line 1"),
        ("[1]", "line 1"),
    ],
)
def test_damaged_lists_name_the_line(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read_open_prompts(file)


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        read_open_prompts(tmp_path / "nowhere.jsonl")
