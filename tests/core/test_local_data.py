"""Only what lies in the folders that may be read is found, however it is spelled."""

from pathlib import Path

import pytest

from core.errors import TableError
from core.local_data import find_local_data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "open" / "rm-bench"
    folder.mkdir(parents=True)
    (folder / "chat.json").write_text("[]")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    return tmp_path / "open"


@pytest.mark.parametrize("name", ["rm-bench", "rm-bench/chat.json", "rm-bench/../rm-bench", "."])
def test_a_relative_name_is_looked_for_in_the_roots(root: Path, name: str):
    assert find_local_data(name, [root]) == (root / name).resolve()


def test_an_absolute_name_within_a_root_is_found(root: Path):
    assert find_local_data(f" {root}/rm-bench ", [root]) == root / "rm-bench"


def test_the_root_where_it_exists_comes_first(root: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    assert find_local_data("rm-bench", [other, root]) == root / "rm-bench"


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "../no-such", "~nobody-at-all/x", "\0"]
)
def test_what_lies_outside_is_refused_alike_whether_it_is_there_or_not(root: Path, name: str):
    with pytest.raises(TableError, match="not a folder this server may read"):
        find_local_data(name, [root])


def test_a_link_out_of_the_root_is_refused(root: Path, tmp_path: Path):
    (root / "way-out").symlink_to(tmp_path / "secret")
    with pytest.raises(TableError, match="not a folder this server may read"):
        find_local_data("way-out", [root])


def test_a_missing_folder_within_a_root_is_told(root: Path):
    with pytest.raises(TableError, match="no such folder or file"):
        find_local_data("rewardbench", [root])


def test_without_roots_nothing_is_read():
    with pytest.raises(TableError, match="reads no folders"):
        find_local_data("/", [])
