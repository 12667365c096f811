"""Pairs for other tools: read back as those tools read them, with what they cannot hold counted."""

import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.exports import (
    LABEL_ANNOTATOR,
    annotated_bytes,
    annotated_pairs,
    dpo_records,
    model_annotator,
    transcript,
    write_annotated_pairs,
    write_dpo,
)
from core.schema import Message

WHY: list[Message] = [{"role": "user", "content": "Why?"}]
LONG: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "Because."},
    {"role": "user", "content": "And then? 🦉"},
]


def pairs(**columns: Any) -> pd.DataFrame:
    """Two sound pairs, then an empty, an equal, a missing and one without messages."""
    content: dict[str, Any] = {
        "pair_id": ["a", "b", "c", "d", "e", "f"],
        "prompt_id": ["p", "q", "r", "s", "t", "u"],
        "prompt": [WHY, LONG, WHY, WHY, WHY, "Why?"],
        "chosen": ["yes", "good", "", "same", None, "yes"],
        "rejected": ["no", "bad\u2028line", "no", "same", "no", "no"],
    }
    return pd.DataFrame(content | columns)


def test_dpo_records_are_conversational_with_an_explicit_prompt(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    export = write_dpo(pairs(), path)
    # Split at newlines only: a U+2028 within a text is no end of a line.
    records = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    assert records == export.content
    assert records == [
        {
            "prompt": WHY,
            "chosen": [{"role": "assistant", "content": "yes"}],
            "rejected": [{"role": "assistant", "content": "no"}],
        },
        {
            "prompt": LONG,
            "chosen": [{"role": "assistant", "content": "good"}],
            "rejected": [{"role": "assistant", "content": "bad\u2028line"}],
        },
    ]
    assert export.n == 2


def test_pairs_that_teach_nothing_are_counted_by_reason() -> None:
    assert dpo_records(pairs()).left_out == {
        "a response is empty": 1,
        "chosen and rejected are the same text": 1,
        "a response is not text": 1,
        "the prompt is not a list of messages": 1,
    }


def test_trl_takes_the_records_as_conversational() -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    for record in dpo_records(pairs()).content:
        assert data_utils.is_conversational(record)


def test_columns_are_kept_when_asked_for() -> None:
    frame = pairs(score=[1.0, math.nan, 0, 0, 0, 0])
    records = dpo_records(frame, columns=["pair_id", "score"]).content
    assert [(each["pair_id"], each["score"]) for each in records] == [("a", 1.0), ("b", None)]


def test_prompts_read_from_parquet_are_messages_too() -> None:
    frame = pairs()[:1]
    frame["prompt"] = pd.Series([np.array(WHY, dtype=object)], dtype=object)
    assert dpo_records(frame).content[0]["prompt"] == WHY


@pytest.mark.parametrize("write", [dpo_records, lambda frame: annotated_pairs(frame, name="n")])
def test_missing_columns_are_named(write: Any) -> None:
    with pytest.raises(TableError, match="lack: prompt, rejected"):
        write(pairs().drop(columns=["prompt", "rejected"]))


def annotated(frame: pd.DataFrame | None = None, **options: Any) -> dict[str, Any]:
    document = annotated_pairs(
        pairs()[:2] if frame is None else frame, name="set", **options
    ).content
    assert isinstance(document, dict)
    return document


def read_as_feedback_forensics(document: dict[str, Any]) -> pd.DataFrame:
    """The comparisons as that tool's reader flattens them, from its published source."""
    rows = []
    for comparison in document["comparisons"]:
        row = {"comparison_id": comparison["id"], "prompt": comparison["prompt"]}
        for side in "ab":
            row |= {f"{k}_{side}": v for k, v in comparison[f"response_{side}"].items()}
        for annotator, annotation in comparison["annotations"].items():
            preference = annotation["pref"]
            row[annotator] = f"text_{preference}" if preference in ("a", "b") else preference
        rows.append(row | comparison["metadata"])
    frame = pd.DataFrame(rows)
    for annotator in document["annotators"]:
        frame[annotator] = frame[annotator].astype("category")  # fails where it never annotated
    return frame


def test_the_label_is_the_reference_annotator_that_readers_look_for() -> None:
    told = "Default annotator from original dataset (from column `preferred_text`)"
    assert hashlib.md5(told.encode()).hexdigest()[:8] == LABEL_ANNOTATOR
    document = annotated()
    assert document["metadata"]["default_annotator"] == LABEL_ANNOTATOR
    assert document["metadata"]["version"] == "2.0"
    assert list(document["annotators"]) == [LABEL_ANNOTATOR]


def test_the_label_and_the_models_prefer_the_right_texts() -> None:
    margins = {"m": [0.5, -1.0], "k": [0.0, math.nan]}
    frame = read_as_feedback_forensics(annotated(margins=margins))
    text = [row[row[LABEL_ANNOTATOR]] for _, row in frame.iterrows()]
    assert text == ["yes", "good"]
    text = [row[row[model_annotator("m")]] for _, row in frame.iterrows()]
    assert text == ["yes", "bad\u2028line"]


def test_no_preference_says_why() -> None:
    margins = {"k": [0.0, math.nan]}
    found = [
        each["annotations"][model_annotator("k")]
        for each in annotated(margins=margins)["comparisons"]
    ]
    assert found == [
        {"pref": None, "no_pref_reason": "not_applicable"},
        {"pref": None, "no_pref_reason": "invalid"},
    ]


def test_the_chosen_response_stands_first_about_half_the_time_and_always_in_the_same_place() -> (
    None
):
    n = 400
    frame = pd.DataFrame(
        {
            "pair_id": [str(place) for place in range(n)],
            "prompt": [WHY] * n,
            "chosen": [f"yes {place}" for place in range(n)],
            "rejected": ["no"] * n,
        }
    )
    first = [
        each["annotations"][LABEL_ANNOTATOR]["pref"] for each in annotated(frame)["comparisons"]
    ]
    assert 150 < first.count("a") < 250
    shuffled = annotated(frame.sample(frac=1, random_state=1))["comparisons"]
    assert {each["id"] for each in shuffled} == {
        each["id"] for each in annotated(frame)["comparisons"]
    }


def test_comparison_ids_are_unique_even_where_a_pair_stands_twice() -> None:
    frame = pd.concat([pairs()[:1]] * 3)
    ids = [each["id"] for each in annotated(frame)["comparisons"]]
    assert len(set(ids)) == 3


def test_prompts_of_several_turns_become_a_transcript_and_keep_their_messages() -> None:
    first, second = annotated()["comparisons"]
    assert first["prompt"] == "Why?"
    assert "prompt_messages" not in first["metadata"]
    assert second["prompt"].startswith("system: Be brief.\n\nuser: Why?\n\nassistant: Because.")
    assert json.loads(second["metadata"]["prompt_messages"]) == LONG
    assert transcript(WHY) == "Why?"


def test_metadata_is_text_listed_and_never_overwrites_a_readers_columns() -> None:
    frame = pairs(topic=["x", None, "", "", "", ""], weight=[2, 3, 0, 0, 0, 0], tags=[[1]] * 6)
    document = annotated(frame)
    assert document["comparisons"][0]["metadata"] == {
        "pair_id": "a",
        "prompt_id": "p",
        "topic": "x",
        "weight_input": "2",
        "tags": "[1]",
    }
    assert "topic" not in document["comparisons"][1]["metadata"]
    assert set(document["metadata"]["available_metadata_keys_per_comparison"]) == {
        "pair_id",
        "prompt_id",
        "topic",
        "weight_input",
        "tags",
        "prompt_messages",
    }
    assert set(annotated(frame, metadata=["topic"])["comparisons"][0]["metadata"]) == {
        "pair_id",
        "topic",
    }


def test_what_the_form_cannot_hold_is_counted_and_equal_texts_stay() -> None:
    export = annotated_pairs(pairs(), name="set")
    assert export.n == 3
    assert export.left_out == {
        "a response is empty": 1,
        "a response is not text": 1,
        "the prompt is not a list of messages": 1,
    }


def test_no_pair_gives_a_document_without_annotators() -> None:
    document = annotated(pairs()[:0])
    assert document["comparisons"] == []
    assert document["annotators"] == {}


def test_margins_must_be_one_a_pair() -> None:
    with pytest.raises(ValueError, match="2 pairs"):
        annotated(margins={"m": [1.0]})


def test_the_document_is_written_as_json_with_its_time(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    frame = pairs(note=pd.Series(["\ud83d half"] * 6, dtype=object))
    export = annotated_pairs(frame, name="set", description="d", created=moment)
    write_annotated_pairs(export, tmp_path / "pairs.json")
    content = json.loads((tmp_path / "pairs.json").read_bytes())
    assert content == json.loads(annotated_bytes(export))
    assert content["metadata"]["created_at"] == "2026-01-02T03:04:05Z"
    assert content["comparisons"][0]["metadata"]["note"] == "\ud83d half"
