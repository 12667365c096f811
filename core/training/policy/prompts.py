"""Open prompts for a small policy: short creative, advising and explaining answers."""

import json
from dataclasses import dataclass
from pathlib import Path

from core.errors import TableError
from core.paths import data_folder


@dataclass(frozen=True)
class OpenPrompt:
    """A prompt without one right answer.

    Attributes:
        problem_id: its name in the rollouts.
        task: "creative", "advice" or "explanation".
        prompt: the user's turn.
    """

    problem_id: str
    task: str
    prompt: str


def read_open_prompts(path: Path | None = None) -> tuple[OpenPrompt, ...]:
    """The authored prompts of the package, or those of a JSON Lines file with the same fields.

    Raises:
        TableError: names the file and the line that cannot be read, or the name that is there
            twice.
    """
    file = path or data_folder() / "rollouts" / "open_prompts.jsonl"
    found: dict[str, OpenPrompt] = {}
    for number, line in enumerate(_lines(file), start=1):
        try:
            each = OpenPrompt(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise TableError(
                f"{file}, line {number}: {error}",
                fix="Expected an object with problem_id, task and prompt.",
            ) from error
        if each.problem_id in found:
            raise TableError(f"{file}, line {number}: {each.problem_id} is there twice.")
        found[each.problem_id] = each
    if not found:
        raise TableError(f"{file}: there are no prompts in it.")
    return tuple(found.values())


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{file}: cannot be read: {error}") from error
