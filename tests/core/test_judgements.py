"""Recorded judgements and files of one's own."""

import json

import pytest

from core import judgements as recordings
from core.errors import TableError
from core.judgements import (
    frame_of,
    read_judgement_files,
    read_judgements,
    recorded_judgements,
    reread,
)


def test_a_recording_is_a_folder_with_both_tables(monkeypatch, tmp_path):
    from tests.core.labs.reasoning.made import made_judgements

    monkeypatch.setattr(recordings, "judgements_folder", lambda: tmp_path)
    recordings.recorded_judgements.cache_clear()
    made = made_judgements(3, 1)
    for name in ("full", "half"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.yaml").write_text("title: Small\nfindings: [One.]\n")
        made.table.to_parquet(tmp_path / name / "judgements.parquet")
    made.items.to_parquet(tmp_path / "full" / "items.parquet")
    try:
        (found,) = recorded_judgements()
        assert (found.name, found.title, found.findings) == ("full", "Small", ("One.",))
        read = read_judgements("full")
        assert read.table["verdict"].tolist() == made.table["verdict"].tolist()
        assert read.items["responses"].iloc[0] == made.items["responses"].iloc[0]
        with pytest.raises(TableError, match="There: full"):
            read_judgements("none")
    finally:
        recordings.recorded_judgements.cache_clear()


def test_what_is_installed_can_be_read():
    for each in recorded_judgements():
        read = read_judgements(each.name)
        assert len(read.table)
        assert not read.left_out


def test_a_file_with_its_items_apart_and_a_bad_line_counted():
    lines = [json.dumps({"item_id": "x", "order": "BA", "verdict": "A"}), "{broken"]
    items = json.dumps({"item_id": "x", "prompt": "?", "responses": ["a", "b"], "best": "A"})
    read = read_judgement_files("\n".join(lines).encode(), "j.jsonl", items.encode(), "i.jsonl")
    assert read.items["best"].tolist() == ["A"]
    assert sum(read.left_out.values()) == 1


def test_raw_texts_are_read_again_by_a_format_and_turned_back():
    rows = [
        {"item_id": "x", "order": "AB", "raw": "… <answer>[[A]]</answer>", "best": "A"},
        {"item_id": "x", "order": "BA", "raw": "… <answer>[[A]]</answer>", "best": "A"},
        {"item_id": "x", "order": "AB", "raw": "I cannot say.", "best": "A"},
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    read = read_judgement_files(data, "j.jsonl", format_name="rm-r1")
    assert read.table["verdict"].tolist()[:2] == ["A", "B"]
    assert read.n_unread == 1
    assert read.table["problem"].iloc[2] != ""


def test_reading_again_needs_texts_and_a_known_format():
    frame, _ = frame_of(b"item_id,verdict\nx,A\n", "j.csv")
    with pytest.raises(TableError, match="what the judge wrote"):
        reread(frame, "rm-r1")
    with pytest.raises(TableError, match="no judging format"):
        reread(frame, "runes")
