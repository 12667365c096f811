"""The number is the model's number: whatever the batch, padding, order or reuse of beginnings."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine.scoring import score_sequences
from core.engine.templating import encode
from core.models.base import ModelOutput, TokenRewardModel, TokenSequence
from core.models.causal import EMPTY_PREFIX, Branch, CausalRewardModel
from core.schema import make_conversation
from tests import tiny

TinyModel = Callable[[str], TokenRewardModel]
KINDS = ("llama", "qwen3", "deberta")
TOLERANCE = 1e-4

words = st.sampled_from(["the", "fox", "reward", "Paris", "17", "日本", "!", "\n", "quick", "is"])
texts = st.lists(words, min_size=0, max_size=25).map(" ".join)


def alone(model: TokenRewardModel, sequence: TokenSequence) -> float:
    """The reward by transformers' own forward pass of one conversation, no engine involved."""
    inner = model._model  # type: ignore[attr-defined]
    inputs = {"input_ids": torch.tensor([sequence.ids])}
    if sequence.type_ids is not None:
        inputs["token_type_ids"] = torch.tensor([sequence.type_ids])
    with torch.no_grad():
        return float(inner(**inputs).logits[0, 0])


def collect(
    model: TokenRewardModel, sequences: list[TokenSequence], **options: object
) -> np.ndarray:
    rewards = np.full(len(sequences), np.nan)
    for positions, output in score_sequences(model, sequences, **options):  # type: ignore[arg-type]
        assert isinstance(output, ModelOutput), output
        assert np.isnan(rewards[positions]).all(), "a position came twice"
        rewards[positions] = output.rewards
    return rewards


@pytest.mark.parametrize("kind", KINDS)
@given(pairs=st.lists(st.tuples(texts, texts), min_size=1, max_size=7), data=st.data())
@settings(max_examples=12, deadline=None)
def test_reward_does_not_depend_on_batch_padding_order_or_reuse(
    kind: str, pairs: list[tuple[str, str]], data: st.DataObject, tiny_model: TinyModel
) -> None:
    model = tiny_model(kind)
    sequences = [encode(model, make_conversation(p, r)).sequence for p, r in pairs]
    expected = np.array([alone(model, sequence) for sequence in sequences])
    order = data.draw(st.permutations(range(len(sequences))))
    shuffled = [sequences[i] for i in order]
    for side in model.padding_sides:
        batch = model.rewards(shuffled, padding_side=side)
        np.testing.assert_allclose(batch.rewards, expected[order], atol=TOLERANCE)
    for reuse in (True, False):
        scored = collect(model, shuffled, reuse_prefixes=reuse)
        np.testing.assert_allclose(scored, expected[order], atol=TOLERANCE)


@pytest.mark.parametrize("kind", tiny.CAUSAL_KINDS)
@given(
    prompt=st.lists(words, min_size=15, max_size=40).map(" ".join),
    responses=st.lists(texts, min_size=2, max_size=9),
    endings=st.lists(texts, min_size=2, max_size=5),
)
@settings(max_examples=6, deadline=None)
def test_shared_beginnings_give_the_same_rewards(
    kind: str, prompt: str, responses: list[str], endings: list[str], tiny_model: TinyModel
) -> None:
    model = tiny_model(kind)
    bodies = [*responses, *(f"{responses[0]} {prompt} {end}" for end in endings)]
    sequences = [encode(model, make_conversation(prompt, body)).sequence for body in bodies]
    expected = np.array([alone(model, sequence) for sequence in sequences])
    np.testing.assert_allclose(collect(model, sequences), expected, atol=TOLERANCE)


@pytest.mark.parametrize("kind", tiny.CAUSAL_KINDS)
def test_extending_token_by_token_equals_one_pass(kind: str, tiny_model: TinyModel) -> None:
    model = tiny_model(kind)
    assert isinstance(model, CausalRewardModel)
    sequence = encode(model, make_conversation("What is it? " * 4, "The quick fox. " * 6)).sequence
    state = EMPTY_PREFIX
    for start in range(0, len(sequence), 7):
        piece = sequence.ids[start : start + 7]
        state, output = model.extend(state, piece, read=[len(piece) - 1])
        so_far = TokenSequence(sequence.ids[: start + len(piece)])
        assert output.rewards[0] == pytest.approx(alone(model, so_far), abs=TOLERANCE)


def test_branches_may_start_anywhere_on_the_trunk(tiny_model: TinyModel) -> None:
    model = tiny_model("llama")
    assert isinstance(model, CausalRewardModel)
    ids = encode(
        model, make_conversation("What is the capital?", "It is Paris, of course.")
    ).sequence.ids
    state, _ = model.extend(EMPTY_PREFIX, ids)
    branches = [Branch(start, ids[start + 2 :]) for start in range(3, len(ids) - 3)]
    rewards = model.branch_rewards(state, branches).rewards
    for branch, reward in zip(branches, rewards, strict=True):
        whole = TokenSequence(ids[: branch.start] + branch.ids)
        assert reward == pytest.approx(alone(model, whole), abs=TOLERANCE)


def test_a_failing_sequence_fails_alone(tiny_model: TinyModel) -> None:
    model = tiny_model("llama")
    good = encode(model, make_conversation("What?", "The quick brown fox.")).sequence
    bad = TokenSequence((1, 2, 10_000_000))
    outcomes = {
        position: output
        for positions, output in score_sequences(model, [good, bad, good], reuse_prefixes=False)
        for position in positions
    }
    assert isinstance(outcomes[1], Exception)
    assert isinstance(outcomes[0], ModelOutput)
    assert isinstance(outcomes[2], ModelOutput)


class ScarceMemory:
    """Passes batches through to a model up to a number of rows, then reports no memory."""

    def __init__(self, model: TokenRewardModel, rows: int) -> None:
        self._model, self._rows = model, rows
        self.batch_sizes: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def rewards(self, sequences: list[TokenSequence]) -> ModelOutput:
        self.batch_sizes.append(len(sequences))
        if len(sequences) > self._rows:
            raise torch.cuda.OutOfMemoryError("no memory left")
        return self._model.rewards(sequences)


def test_running_out_of_memory_halves_the_batch_and_says_so_once(
    tiny_model: TinyModel, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_model("llama")
    sequences = [
        encode(model, make_conversation(f"Question {i}", "The fox " * (i % 3 + 1))).sequence
        for i in range(90)
    ]
    scarce = ScarceMemory(model, rows=4)
    rewards = collect(scarce, sequences, reuse_prefixes=False)  # type: ignore[arg-type]
    expected = [alone(model, sequence) for sequence in sequences]
    np.testing.assert_allclose(rewards, expected, atol=TOLERANCE)
    assert max(scarce.batch_sizes[-10:]) <= 4, "later batches should stay small"
    assert sum("halving" in record.message for record in caplog.records) == 1


def test_stopping_leaves_the_rest_undone(tiny_model: TinyModel) -> None:
    model = tiny_model("llama")
    sequences = [
        encode(model, make_conversation(f"Question number {i}", "fox " * 80)).sequence
        for i in range(20)
    ]
    seen: list[int] = []
    for positions, _ in score_sequences(model, sequences, should_stop=lambda: len(seen) >= 3):
        seen.extend(positions)
    assert 3 <= len(seen) < 20


def test_batches_stay_small_while_somebody_types(tiny_model, monkeypatch) -> None:
    monkeypatch.setattr("core.engine.scoring.YIELDING_TOKENS", 60)
    model = tiny_model("llama")
    sequences = [TokenSequence(tuple(range(10 + n, 40 + n))) for n in range(8)]
    typing = [True]
    sizes: list[int] = []
    for positions, _ in score_sequences(
        model, sequences, yielding=lambda: typing[0], reuse_prefixes=False
    ):
        sizes.append(len(positions))
        typing[0] = False
    assert sizes == [2, 6]
