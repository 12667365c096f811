"""Edits of mathematics and code keep the result and what the code does."""

import ast
import contextlib
import io

import pytest

from core.perturbations import apply
from core.perturbations.python_names import code_blocks, is_python
from core.schema import make_conversation

CODE = """def mean_of(numbers):
    # add them up
    total_sum = 0  # from zero
    for entry in numbers:
        total_sum += entry
    label = "entry # no comment"
    print(f"{label}", total_sum, sep="")
    return total_sum / len(numbers)
print(mean_of([1, 2, 6]))
"""
FENCED = f"The sum is kept in `total_sum`:\n\n```python\n{CODE}```\n\nCall `mean_of` then."


def edited(name: str, text: str, prompt: str = "Average of numbers?", seed: int = 0) -> str:
    outcome = apply(name, make_conversation(prompt, text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


def refused(name: str, text: str, prompt: str = "Average?") -> str:
    outcome = apply(name, make_conversation(prompt, text))
    assert not outcome.applied
    return outcome.reason


def printed(source: str) -> str:
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        exec(compile(source, "<test>", "exec"), {})
    return written.getvalue()


@pytest.mark.parametrize(
    ("boxed", "under_heading"),
    [
        ("So \\boxed{42}.", "So 42.\n\n# Answer\n\n42"),
        (
            "Thus $x = \\boxed{\\frac{1}{2}}$",
            "Thus $x = \\frac{1}{2}$\n\n# Answer\n\n$\\frac{1}{2}$",
        ),
        ("\\boxed{1} then \\boxed{2}", "1 then 2\n\n# Answer\n\n2"),
    ],
)
def test_a_box_becomes_a_heading(boxed: str, under_heading: str) -> None:
    assert edited("answer-format", boxed) == under_heading


@pytest.mark.parametrize(
    ("marked", "boxed"),
    [
        ("2 + 2 = 4\n#### 4", "2 + 2 = 4\n\n$\\boxed{4}$"),
        ("We add.\n\n# Answer\n\n4", "We add.\n\n$\\boxed{4}$"),
        ("We add.\n**Final answer:** 4 apples.", "We add.\n\n$\\boxed{4 apples}$"),
        ("Answer: $\\frac12$", "$\\boxed{\\frac12}$"),
    ],
)
def test_a_marked_last_line_becomes_a_box(marked: str, boxed: str) -> None:
    assert edited("answer-format", marked) == boxed


@pytest.mark.parametrize("text", ["The answer is 4.", "Answer: 4\nThat is all.", "\\boxed{}"])
def test_an_unmarked_or_empty_answer_stays(text: str) -> None:
    assert refused("answer-format", text)


def test_variables_change_and_the_program_does_the_same() -> None:
    outcomes = {edited("rename-identifiers", FENCED, "A mean?", seed) for seed in range(12)}
    assert len(outcomes) == 3
    for after in outcomes:
        (block,) = code_blocks(after)
        assert printed(block.source) == printed(CODE)
        names = {
            node.id for node in ast.walk(ast.parse(block.source)) if isinstance(node, ast.Name)
        }
        assert {"totalSum", "mean_of", "len", "print"} <= names
        assert "total_sum" not in after.replace("Call `mean_of`", "")
        assert "kept in `totalSum`" in after


def test_names_that_something_depends_on_stay() -> None:
    after = edited("rename-identifiers", FENCED)
    assert 'print(f"{label}", totalSum, sep="")' in after  # used in an f-string
    assert "for entry in numbers" in after  # one in a string, the other in the prompt
    other = edited("rename-identifiers", FENCED, prompt="Give me a mean.")
    assert "for entry in numbers_" in other


@pytest.mark.parametrize(
    "source",
    [
        "import os as system\nsystem.name = 1\n",
        "class A:\n    size = 1\n    def f(self):\n        return self.size\n",
        "f(size=1)\nsize = 2\n",
        "x = 1\ny = x\n",
    ],
)
def test_modules_attributes_keywords_and_single_letters_stay(source: str) -> None:
    assert "no variable" in refused("rename-identifiers", f"```python\n{source}```")


@pytest.mark.parametrize("text", ["no code", "```python\ndef f(:\n```", "```js\nlet a = 1\n```"])
def test_without_python_nothing_is_renamed(text: str) -> None:
    assert refused("rename-identifiers", text) == "There is no Python code block."


def test_comments_go_and_strings_stay() -> None:
    after = edited("drop-comments", FENCED)
    assert "add them up" not in after
    assert "from zero" not in after
    assert '"entry # no comment"' in after
    (block,) = code_blocks(after)
    assert printed(block.source) == printed(CODE)


def test_slash_comments_go_by_whole_lines() -> None:
    text = "```js\n// first\nlet a = 1; // second\n  // third\nlet u = 'http://x';\n```"
    assert edited("drop-comments", text) == "```js\nlet a = 1; // second\nlet u = 'http://x';\n```"


def test_comments_that_were_asked_for_or_do_something_stay() -> None:
    assert "asks" in refused("drop-comments", FENCED, "Write commented code.")
    assert refused("drop-comments", "```python\n#!/usr/bin/python\nx = 1  # type: int\n```")
    assert refused("drop-comments", "Just #1 prose.")


@pytest.mark.parametrize(
    ("language", "mark"), [("python", "# "), ("js", "// "), ("sql", "-- "), ("bash", "# ")]
)
def test_praise_stands_on_the_first_line_of_the_code(language: str, mark: str) -> None:
    source = "x = 1\n" if language == "python" else "select\n"
    after = edited("praise-in-comment", f"Here:\n```{language}\n{source}```")
    lines = after.split("\n")
    assert lines[:2] == ["Here:", f"```{language}"]
    assert lines[2].startswith(mark)
    assert lines[3:] == [source.rstrip(), "```"]


@pytest.mark.parametrize("text", ["No code.", "```json\n{}\n```", "```\nsome output\n```"])
def test_what_takes_no_comment_is_not_praised(text: str) -> None:
    assert "no code block" in refused("praise-in-comment", text)


def test_blocks_and_whole_programs_are_told_from_prose() -> None:
    assert [block.source for block in code_blocks("a\n```py\nx = 1\n```\nb")] == ["x = 1\n"]
    assert [block.source for block in code_blocks("```py\nx = 1")] == ["x = 1"]
    assert is_python(code_blocks("x = 1\nprint(x)\n")[0])
    assert code_blocks("Hello") == []
