"""The service over real (tiny, random) models: its number is the model's number on every path."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.engine.templating import encode
from core.models.base import TokenRewardModel
from core.schema import Message, make_conversation

TinyModel = Callable[[str], TokenRewardModel]

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "What is the capital of France?",
    "Two plus two is four, and three plus three is six.",
    "Thank you for the question! Here are three steps: first, then, finally.",
]
KINDS = ("llama", "qwen3", "deberta")


def conversations(count: int) -> list[list[Message]]:
    """Texts of many lengths; every third shares its prompt and the beginning of its response."""
    made = []
    for n in range(count):
        prompt = SENTENCES[n % 3 and n % 4]
        response = " ".join(SENTENCES[(n + k) % 4] for k in range(n % 5)) + f" {n}"
        made.append(make_conversation(prompt, f"{SENTENCES[0]} {response}"))
    return made


def alone(model: TokenRewardModel, conversation: list[Message]) -> float:
    """The reward of one conversation in a forward pass of its own."""
    return float(model.rewards([encode(model, conversation).sequence]).rewards[0])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RewardService]:
    """A service with an empty cache."""
    made = RewardService(cache=RewardCache(tmp_path / "rewards.sqlite", 10**8), budget_bytes=10**12)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_bulk_rewards_equal_those_of_single_forward_passes(
    service: RewardService, tiny_model: TinyModel, kind: str
) -> None:
    model = tiny_model(kind)
    service.register(model)
    texts = conversations(40)
    frame = service.score(model.card.id, texts)
    expected = [alone(model, text) for text in texts]
    np.testing.assert_allclose(frame["reward"], expected, atol=1e-4)
    assert frame["n_tokens"].tolist() == [encode(model, text).n_tokens for text in texts]
    again = service.score(model.card.id, texts)
    assert again["cached"].all()
    assert again["reward"].tolist() == frame["reward"].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_live_edits_equal_single_forward_passes(
    service: RewardService, tiny_model: TinyModel, kind: str
) -> None:
    model = tiny_model(kind)
    service.register(model)
    text = "The capital of France is Paris, a city on the river Seine."
    edits = [text[:n] for n in range(8, len(text), 7)]  # typing
    edits += [text[:20] + "!" + text[20:], "A " + text, text[:-5], text]  # editing
    for edit in edits:
        conversation = make_conversation(SENTENCES[1], edit)
        job = service.submit(model.card.id, [conversation], live=True, session="me")
        assert job.wait(30)
        (row,) = job.rows()
        assert row.error == ""
        assert row.reward == pytest.approx(alone(model, conversation), abs=1e-4)


def test_sessions_do_not_see_each_others_beginnings(
    service: RewardService, tiny_model: TinyModel
) -> None:
    model = tiny_model("llama")
    service.register(model)
    for step in range(4):
        for session in range(20):  # more than stay warm
            text = make_conversation(f"Session {session}?", SENTENCES[0][: 10 + 5 * step])
            job = service.submit(model.card.id, [text], live=True, session=f"{session}")
            assert job.wait(30)
            assert job.rows()[0].reward == pytest.approx(alone(model, text), abs=1e-4)


def test_a_text_that_is_too_long_says_how_much_was_cut(
    service: RewardService, tiny_model: TinyModel
) -> None:
    model = tiny_model("llama")
    service.register(model)
    long = make_conversation("How long?", " ".join(SENTENCES * 20))
    (row,) = service.score(model.card.id, [long]).to_dict("records")
    assert row["n_tokens"] == model.card.max_length
    assert row["truncated"] == encode(model, long).n_cut > 0


def test_the_service_encodes_as_the_model_reads(
    service: RewardService, tiny_model: TinyModel
) -> None:
    model = tiny_model("qwen3")
    service.register(model)
    conversation = conversations(1)[0]
    assert service.encode(model.card.id, conversation) == encode(model, conversation)
