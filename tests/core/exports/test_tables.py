"""Tables as downloads and files, with their manifest."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from core.errors import TableError
from core.exports import export_table, file_stem, table_bytes, tables_archive
from core.manifest import make_manifest

FRAME = pd.DataFrame({"text": ["a,b", 'say "x"'], "reward": [0.1, None]})
MANIFEST = make_manifest("scores", [], seed=1)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_a_download_is_the_file_that_would_be_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    manifest = export_table(FRAME, path, MANIFEST)
    assert table_bytes(FRAME, suffix) == path.read_bytes()
    assert json.loads(manifest.read_text())["seed"] == 1


def test_an_unknown_ending_is_told() -> None:
    with pytest.raises(TableError, match="cannot write this kind"):
        table_bytes(FRAME, ".xlsx")


def test_an_archive_holds_every_table_and_the_manifest() -> None:
    tables = {"pairs": FRAME, "a/b": FRAME[:1], "a b": FRAME[:0]}
    with zipfile.ZipFile(io.BytesIO(tables_archive(tables, ".csv", MANIFEST))) as archive:
        assert archive.namelist() == ["pairs.csv", "a-b.csv", "a-b-2.csv", "manifest.json"]
        assert archive.read("pairs.csv") == table_bytes(FRAME, ".csv")
        assert json.loads(archive.read("manifest.json"))["kind"] == "scores"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/../b", "a-..-b"),
        ("..", "export"),
        ("Ü", "export"),
        ("x" * 99, "x" * 80),
        ("a.b_c", "a.b_c"),
    ],
)
def test_file_names_are_plain(name: str, stem: str) -> None:
    assert file_stem(name) == stem
