from collections.abc import Sequence

import numpy as np
import pytest
import torch

from core.errors import ModelLoadError
from core.models import language
from core.models.card import EmbeddedSource, LocalSource
from core.models.language import LanguageModel, TokenReading
from core.models.sampling import Sampling, draw
from tests.tiny import tiny_language_model

Tokens = tuple[int, ...]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_language_model()


def plain(model: LanguageModel, prefix: Tokens, target: Tokens) -> TokenReading:
    """One token after the other, each with a pass over everything before it."""
    log_probabilities, entropies = [], []
    for number, token in enumerate(target):
        ids = torch.tensor([[*prefix, *target[:number]]])
        with torch.no_grad():
            each = model.network(ids).logits[0, -1].double().log_softmax(-1)
        log_probabilities.append(float(each[token]))
        entropies.append(float(-(each.exp() * each).sum()))
    return TokenReading(np.array(log_probabilities), np.array(entropies))


def same(found: Sequence[TokenReading], wanted: Sequence[TokenReading]) -> None:
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.log_probabilities, two.log_probabilities, atol=1e-5)
        np.testing.assert_allclose(one.entropies, two.entropies, atol=1e-5)


TEXTS: list[tuple[Tokens, Tokens]] = [
    ((5, 6, 7), (8, 9)),
    ((5,), (10, 11, 12, 13)),
    ((20, 21, 22, 23, 24, 25), (26,)),
]


def test_reading_agrees_with_a_pass_a_token(model: LanguageModel) -> None:
    found = model.read([prefix for prefix, _ in TEXTS], [target for _, target in TEXTS])
    same(found, [plain(model, *text) for text in TEXTS])


@pytest.mark.parametrize("at_once", [1, 12, 4096])
def test_a_shared_beginning_read_once_changes_nothing(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(language, "TOKENS_AT_ONCE", at_once)
    prefix: Tokens = (3, 4, 5, 6)
    # The second has nothing between beginning and target: its first token hangs on the prefix.
    parts: list[tuple[Tokens, Tokens]] = [((7, 8), (9, 10)), ((), (11, 12, 13)), ((14,), (15,))]
    wanted = [plain(model, (*prefix, *between), target) for between, target in parts]
    same(model.after(prefix, parts), wanted)
    same(model.after(prefix, parts), wanted)  # nothing is left over from the first time


@pytest.mark.parametrize("at_once", [1, 12, 4096])
def test_the_next_token_after_a_shared_beginning(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(language, "TOKENS_AT_ONCE", at_once)
    prefix: Tokens = (3, 4, 5, 6)
    parts: list[Tokens] = [(7, 8, 9), (), (11,), (12, 13, 14, 15)]
    wanted = model.next_token([(*prefix, *part) for part in parts])
    np.testing.assert_allclose(model.next_token_after(prefix, parts), wanted, atol=1e-5)
    np.testing.assert_allclose(model.next_token_after(prefix, [()]), wanted[[1]], atol=1e-5)
    assert model.next_token_after(prefix, []).shape == (0, wanted.shape[1])


def test_the_next_token_does_not_depend_on_its_neighbours(model: LanguageModel) -> None:
    prompts = [prefix for prefix, _ in TEXTS]
    together = model.next_token(prompts)
    assert np.exp(together).sum(1) == pytest.approx(1)
    for row, prompt in enumerate(prompts):
        np.testing.assert_allclose(together[row], model.next_token([prompt])[0], atol=1e-5)
        assert together[row, 9] == pytest.approx(
            plain(model, prompt, (9,)).log_probabilities[0], abs=1e-5
        )


def test_drawn_text_can_be_watched_and_ended(model: LanguageModel) -> None:
    seen: list[tuple[int, int, int]] = []

    def watch(prompt: int, sample: int, tokens: Tokens) -> bool:
        seen.append((prompt, sample, len(tokens)))
        return prompt == 1 and len(tokens) == 2

    samples = draw(model, [(5, 6), (7, 8, 9)], 2, Sampling(max_new_tokens=5), seed=0, watch=watch)
    assert [(each.prompt, each.sample) for each in samples] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(len(each.tokens) <= 2 for each in samples if each.prompt == 1)
    assert max(count for prompt, _, count in seen if prompt == 1) == 2
    for each in samples:
        reading = plain(model, [(5, 6), (7, 8, 9)][each.prompt], each.tokens)
        assert each.log_probability == pytest.approx(reading.log_probabilities.sum(), abs=1e-4)


def test_what_is_no_language_model_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelLoadError):
        language.load_language_model(LocalSource(kind="local", path=tmp_path / "nothing"))


@pytest.mark.slow
def test_the_embedded_model_knows_a_capital() -> None:
    source = EmbeddedSource(kind="embedded", name="smollm2-135m-instruct")
    embedded = language.load_language_model(source)
    prompt = embedded.encode(
        embedded.render([{"role": "user", "content": "What is the capital of France?"}])
        + "The capital of France is"
    )
    paris, rome = (
        float(reading.log_probabilities.sum())
        for reading in embedded.after(
            prompt, [((), embedded.encode(" Paris")), ((), embedded.encode(" Rome"))]
        )
    )
    assert paris > rome
