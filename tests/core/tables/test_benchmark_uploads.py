"""Uploaded benchmarks: files and ZIP files are read alike, and nothing leaves the upload."""

import io
import json
import zipfile

import pytest

from core.errors import TableError
from core.tables import benchmark_uploads
from core.tables.benchmark_uploads import read_uploaded_benchmark

ROWS = [
    {"id": k, "prompt": f"p{k}", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}
    for k in range(3)
]
CONTENT = json.dumps(ROWS).encode()
PAIRS = json.dumps([{"input": "Say a.", "output_1": "a", "output_2": "b", "label": 1}]).encode()


def packed(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_single_files_are_read_as_their_folder_would_be():
    table = read_uploaded_benchmark("rm-bench", [("chat.json", CONTENT)])
    assert table.n_items == 3
    assert set(table.candidates["subset"]) == {"chat"}
    assert table.files == ("chat.json",)


def test_a_zip_file_keeps_the_places_that_tell_subsets_apart():
    content = packed(
        {
            "LLMBar/Natural/dataset.json": PAIRS,
            "LLMBar/Adversarial/Neighbor/dataset.json": PAIRS,
            "LLMBar/README.md": b"# not a table",
        }
    )
    table = read_uploaded_benchmark("llmbar", [("LLMBar.zip", content)])
    assert set(table.candidates["subset"]) == {"natural", "adversarial-neighbor"}


def test_two_files_of_one_name_are_told_what_to_do():
    files = [("dataset.json", PAIRS), ("dataset.json", PAIRS)]
    with pytest.raises(TableError, match=r"Two files are called dataset\.json.*ZIP"):
        read_uploaded_benchmark("llmbar", files)


@pytest.mark.parametrize("name", ["../out.json", "/tmp/out.json", "a/../../out.json"])
def test_a_name_that_leads_out_of_the_upload_is_refused(name: str):
    with pytest.raises(TableError, match="leads out of the upload"):
        read_uploaded_benchmark("rm-bench", [("x.zip", packed({name: CONTENT}))])


def test_a_zip_file_that_would_fill_the_server_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark_uploads, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(TableError, match="more than"):
        read_uploaded_benchmark("rm-bench", [("x.zip", packed({"chat.json": CONTENT}))])


def test_a_damaged_zip_file_is_told():
    with pytest.raises(TableError, match=r"x\.zip: cannot be unpacked"):
        read_uploaded_benchmark("rm-bench", [("x.zip", b"PK no more")])


def test_messages_name_the_upload_and_no_folder_of_the_server():
    with pytest.raises(TableError) as failed:
        read_uploaded_benchmark("rm-bench", [("notes.txt", b"nothing")])
    assert str(failed.value).startswith("The upload: no file of rm-bench")
