"""The benchmark measures real runs: every side gives the same rewards, and the ratios follow."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.engine import main
from benchmarks.measure import Line, Target, interleave, paired_ratio
from benchmarks.memory import growth_in_fresh_process
from benchmarks.peers import PEER_BATCH, Peers, matrix_parameters
from benchmarks.sample import Composer, load_sample
from core import models
from core.engine.scoring import score_sequences
from core.engine.templating import encode
from tests import tiny

SMALL = [
    *("--rounds", "1", "--conversations", "4", "--edits", "2", "--response-tokens", "24"),
    *("--prompt-tokens", "40", "--responses", "4", "--branch-tokens", "8", "--matmul", "64"),
    *("--parts", "throughput", "live", "prompt"),
]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REWARD_WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REWARD_WORKBENCH_SHARED_DATA", str(tmp_path / "absent"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.save_model("llama", tmp_path / "model")


@pytest.fixture
def report(folder: Path, tmp_path: Path) -> dict[str, Any]:
    output = tmp_path / "report.json"
    assert main(["--model", str(folder), *SMALL, "--output", str(output)]) == 0
    return json.loads(output.read_text(encoding="utf-8"))


def test_every_side_gives_the_same_rewards_and_every_target_is_judged(
    report: dict[str, Any],
) -> None:
    lines = report["lines"]
    key = "largest_reward_difference"
    differences = [line[key] for line in lines if key in line]
    assert len(differences) == 7  # five sides, the live edits, the shared prompt
    assert max(differences) < 1e-4  # the model computes in float32
    judged = {(line["part"], line["target"]): line for line in lines if line["target"]}
    assert set(judged) == {
        ("throughput", "≥ 2.5"),
        ("throughput", "≥ 1"),
        ("live", "≤ 0.3"),
        ("prompt", "≥ 2.5"),
        ("prompt", "≥ 1"),
    }
    assert judged["live", "≤ 0.3"]["met"] == (judged["live", "≤ 0.3"]["ratio"] <= 0.3)
    assert report["sample"] == {"source": "authored pairs", "conversations": 4}
    assert report["machine"]["torch"] == torch.__version__
    assert all(line["tokens_per_s"] > 0 for line in lines if "tokens_per_s" in line)


def test_peers_give_the_engines_rewards_in_the_order_of_the_texts(folder: Path) -> None:
    model = models.load(str(folder))
    sample = load_sample(2 * PEER_BATCH + 6)  # more pairs than one batch of the loop
    encoded = [encode(model, conversation) for conversation in sample.conversations]
    texts = [each.text for each in encoded]
    expected = [float(model.rewards([each.sequence]).rewards[0]) for each in encoded]
    peers = Peers(model)
    assert len(set(expected)) > PEER_BATCH
    assert peers.pipeline(texts) == pytest.approx(expected, abs=1e-4)
    assert peers.reward_bench(texts[::2], texts[1::2]) == pytest.approx(expected, abs=1e-4)
    assert peers.one_at_a_time(texts) == pytest.approx(expected, abs=1e-4)
    assert peers.padded_ids([each.sequence.ids for each in encoded]) == pytest.approx(
        expected, abs=1e-4
    )


def test_only_matrices_count_as_arithmetic(folder: Path) -> None:
    # Hidden 32, 4 heads and 2 key-value heads of 8, inner size 48, three layers.
    layer = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48
    assert matrix_parameters(models.load(str(folder))) == 3 * layer


def test_composed_conversations_have_the_sizes_asked_for(folder: Path) -> None:
    model = models.load(str(folder))
    composer = Composer(model, load_sample(4))
    prompt = composer.prompt(50)
    short, long = (composer.conversation(prompt, count) for count in (10, 30))
    assert len(prompt) == 50
    assert len(long) - len(short) == 20
    assert short.ids[:50] == long.ids[:50] == prompt
    assert all(len(output.rewards) for _, output in score_sequences(model, [short, long]))


def test_rounds_are_interleaved_and_ratios_are_taken_within_a_round() -> None:
    calls: list[str] = []
    sides = {name: (lambda name=name: calls.append(name)) for name in "ABC"}
    seconds = interleave(sides, 2)
    assert calls == list("ABCABC")
    assert {name: len(took) for name, took in seconds.items()} == {"A": 2, "B": 2, "C": 2}
    # Ratios 2, 4 and 3 although the machine was ten times slower in the last round.
    assert paired_ratio([2.0, 8.0, 30.0], [1.0, 2.0, 10.0]) == 3.0


@pytest.mark.parametrize(
    ("sense", "ratio", "met"), [("≥", 2.5, True), ("≥", 2.4, False), ("≤", 2.6, False)]
)
def test_a_target_is_reached_at_its_limit(sense: Any, ratio: float, met: bool) -> None:
    assert Line("part", "what", ratio=ratio, target=Target(sense, 2.5)).is_met is met


def test_a_fresh_process_grows_by_the_weights_it_reads(tmp_path: Path) -> None:
    folder = tiny.save_model("llama", tmp_path / "large", intermediate_size=48 * 1024)
    # Three layers of three matrices, 32 x 49,152 in float32: 54 MiB.
    assert 50 < growth_in_fresh_process([str(folder)]) / 1024**2 < 150
