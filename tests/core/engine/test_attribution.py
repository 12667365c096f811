"""Attributions against rewards known by formula and against finite differences."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from core.engine import attribution as attr
from core.engine.templating import encode
from core.models.base import TokenRewardModel
from core.models.causal import CausalRewardModel
from core.schema import Conversation, make_conversation, with_response

WEIGHTS = {"good": 2.0, "bad": -3.0, "very": 0.5}


def score_by_words(conversations: Sequence[Conversation]) -> np.ndarray:
    """Reward = sum of the response's word weights."""
    return np.array(
        [
            sum(WEIGHTS.get(word.strip(".,! "), 0.0) for word in c[-1]["content"].split())
            for c in conversations
        ]
    )


def test_leaving_words_out_recovers_an_additive_reward() -> None:
    conversation = make_conversation("Is it?", "This is good, very good and not bad.")
    result = attr.occlusion(score_by_words, conversation, unit="word")
    by_word = {
        result.text[start:end].strip(" ,."): value
        for (start, end), value in zip(result.units, result.values, strict=True)
    }
    assert by_word["good"] == 2.0
    assert by_word["very"] == 0.5
    assert by_word["bad"] == -3.0
    assert by_word["This"] == 0.0
    assert "".join(result.text[s:e] for s, e in result.units) == conversation[-1]["content"]


def test_sentences_are_left_out_whole() -> None:
    conversation = make_conversation("Well?", "It is good. It is bad. The end.")
    result = attr.occlusion(score_by_words, conversation, unit="sentence")
    assert result.values.tolist() == [2.0, -3.0, 0.0]


def test_the_trace_rewards_each_beginning() -> None:
    conversation = make_conversation("Well?", "It is good. It is bad. The end.")
    trace = attr.reward_trace(score_by_words, conversation)
    assert trace.rewards.tolist() == [2.0, -1.0, -1.0]


def test_an_empty_response_has_no_units() -> None:
    conversation = make_conversation("Well?", "")
    assert len(attr.occlusion(score_by_words, conversation, unit="word").values) == 0
    assert len(attr.reward_trace(score_by_words, conversation).rewards) == 0


def test_gradient_times_input_is_the_slope_along_each_embedding(
    tiny_model: Callable[[str], TokenRewardModel],
) -> None:
    model = tiny_model("llama")
    assert isinstance(model, CausalRewardModel)
    sequence = encode(model, make_conversation("What is it?", "The quick brown fox.")).sequence
    gradients = model.gradient_times_input(sequence)
    inner = model._model.double()
    try:
        embeddings = inner.get_input_embeddings()(torch.tensor([sequence.ids])).detach()

        def reward(scale: torch.Tensor) -> float:
            with torch.no_grad():
                hidden = inner.model(inputs_embeds=embeddings * scale[None, :, None])
                return float(inner.score(hidden.last_hidden_state[0, -1]))

        for position in (0, 3, len(sequence) - 1):
            step = torch.zeros(len(sequence), dtype=torch.float64)
            step[position] = 2e-2  # the norms round to float32
            ones = torch.ones(len(sequence), dtype=torch.float64)
            slope = (reward(ones + step) - reward(ones - step)) / 4e-2
            assert gradients[position] == pytest.approx(slope, rel=1e-2, abs=1e-5)
    finally:
        inner.float()


def test_token_gradients_add_up_within_their_units(
    tiny_model: Callable[[str], TokenRewardModel],
) -> None:
    model = tiny_model("llama")
    assert isinstance(model, CausalRewardModel)
    prompt = make_conversation("What is it?", "x")[:1]
    conversation = with_response(prompt, "  The quick 🦊 fox. It jumps over 日本 twice!")
    encoded = encode(model, conversation)
    result = attr.gradient_times_input(model, encoded, conversation, unit="word")
    span = encoded.response_span()
    assert span.tokens is not None
    products = model.gradient_times_input(encoded.sequence)[slice(*span.tokens)]
    assert result.values.sum() == pytest.approx(products.sum(), abs=1e-6)


def test_rank_agreement_by_hand() -> None:
    def made(values: list[float]) -> attr.Attribution:
        units = tuple((i, i + 1) for i in range(len(values)))
        return attr.Attribution(1, "abcd", units, np.array(values), "x")

    assert attr.rank_agreement(made([1, 2, 3, 4]), made([10, 20, 30, 40])) == pytest.approx(1)
    # Ranks (1, 2, 3, 4) and (2, 1, 4, 3): rho = 1 - 6 * 4 / (4 * 15).
    assert attr.rank_agreement(made([1, 2, 3, 4]), made([2, 1, 4, 3])) == pytest.approx(0.6)
    assert np.isnan(attr.rank_agreement(made([1, 1, 1]), made([1, 2, 3])))
