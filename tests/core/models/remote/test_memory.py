"""Another model under an old name is noticed, rounding is not taken for one."""

import math
from pathlib import Path

import pytest

from core.models.remote.memory import FOLDER, remember
from core.paths import cache_folder

VALUES = [3.0, -1.5, 2.2, -4.0]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path))


def test_a_model_is_known_again_within_its_rounding() -> None:
    first = remember("key", VALUES, "bfloat16")
    assert not first.is_other
    again = remember("key", [value + 0.04 for value in VALUES], "bfloat16")
    assert again == first
    # 0.04 is far more than float32 rounds.
    other = remember("key", [value + 0.04 for value in VALUES], "float32")
    assert other.is_other
    assert other.mark != first.mark


def test_going_back_to_an_older_model_gives_its_old_mark() -> None:
    old = remember("key", VALUES, "float32")
    new = remember("key", [0.0, 1.0, 2.0, 3.0], "float32")
    assert new.is_other
    back = remember("key", VALUES, "float32")
    assert back.mark == old.mark
    assert back.is_other
    assert not remember("key", VALUES, "float32").is_other


def test_a_value_that_is_missing_once_makes_no_other_model() -> None:
    first = remember("key", VALUES, "float32")
    assert remember("key", [math.nan, *VALUES[1:]], "float32") == first
    assert remember("else", VALUES, "float32").mark == first.mark


def test_a_damaged_file_costs_only_the_memory() -> None:
    first = remember("key", VALUES, "float32")
    (cache_folder() / FOLDER / "key.json").write_text("{broken")
    assert remember("key", VALUES, "float32") == first
