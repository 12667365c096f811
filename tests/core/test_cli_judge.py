"""`reward-workbench judge`, run for real with a tiny judge: texts, resuming, mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from core.cli import app
from core.schema import JUDGEMENT_COLUMNS
from tests.tiny import save_language_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a tiny judge's card, and two items."""
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    model = save_language_model(tmp_path / "tiny")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
    cards = tmp_path / "home" / "cards"
    cards.mkdir(parents=True)
    (cards / "tiny.yaml").write_text(
        f"id: tiny\nsource: {{kind: local, path: {model}}}\nfamily: judge\n"
        "judge: {format: rubric-pair, samples: 2, max_new_tokens: 4}\ndtype: float32\n"
    )
    rows = [
        {"item_id": "a", "prompt": "Say hello.", "responses": ["Hello!", "No."], "best": "A"},
        {"item_id": "b", "prompt": "2 + 2?", "responses": ["5", "4"], "best": "B"},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "items.jsonl").write_text(lines + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[..., Result]:
    common = ["judge", "--items", folder / "items.jsonl", "--judge", "tiny"]
    return lambda *more: CliRunner().invoke(app, [str(each) for each in (*common, *more)])


def test_writes_judgements_and_asks_only_once(folder: Path, run: Callable[..., Result]) -> None:
    first = run("--output", folder / "one.parquet")
    assert first.exit_code == 0, first.output
    table = pd.read_parquet(folder / "one.parquet")
    assert list(table.columns) == list(JUDGEMENT_COLUMNS)
    assert table[["item_id", "order", "sample"]].to_numpy().tolist() == [
        [item, order, sample] for item in "ab" for order in ("AB", "BA") for sample in (0, 1)
    ]
    assert "8 of 8 judgements, 0 of them known before" in first.output
    again = run("--output", folder / "two.jsonl", "--samples", 3)
    assert again.exit_code == 0, again.output
    assert "12 of 12 judgements, 8 of them known before" in again.output
    lines = (folder / "two.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [row for row in map(json.loads, lines) if row["sample"] < 2]
    assert [row["raw"] for row in kept] == table["raw"].tolist()


def test_verdicts_by_probability(folder: Path, run: Callable[..., Result]) -> None:
    result = run("--output", folder / "words.csv", "--verdict", "log-probability")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(folder / "words.csv")
    assert table["verdict"].isin(["A", "B"]).all()
    assert table["mass"].between(0, 1).all()
    assert len(table) == 4


def test_mistakes_are_told_before_anything_is_asked(
    folder: Path, run: Callable[..., Result]
) -> None:
    wrong = run("--output", folder / "x.doc")
    assert wrong.exit_code == 2
    (folder / "items.jsonl").write_text('{"item_id": "a", "prompt": "p"}\n', encoding="utf-8")
    missing = run("--output", folder / "x.csv")
    assert missing.exit_code == 2
    assert "responses" in missing.output
    assert not (folder / "x.csv").exists()


def test_a_model_that_is_no_judge_is_refused(folder: Path) -> None:
    card = folder / "home" / "cards" / "other.yaml"
    card.write_text(
        f"id: other\nsource: {{kind: local, path: {folder / 'tiny'}}}\nfamily: process\n"
        "process: {form: step-tag, tag: '+'}\ndtype: float32\n"
    )
    arguments = ["judge", "-i", folder / "items.jsonl", "-j", "other", "-o", folder / "x.csv"]
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 2
    assert "no judge" in result.output
