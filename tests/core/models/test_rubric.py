from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from core.engine.service import RewardService
from core.errors import CardError, ModelLoadError
from core.models.base import Capability, FloatArray
from core.models.card import RewardModelCard, read_card
from core.models.catalogue import load_card
from core.models.loading import load_card_model
from core.models.rubric import NO, YES, RubricRewardModel, common_beginning
from core.models.sampling import Tokens
from core.schema import Conversation, make_conversation
from tests.tiny import chat_tokenizer, save_language_model

CRITERIA = [
    {"name": "answers", "text": "It answers.", "importance": "essential", "weight": 5},
    {"name": "polite", "text": "It is polite.", "weight": 3},
    {"name": "rambles", "text": "It rambles.", "importance": "pitfall", "weight": 2},
]
CONVERSATIONS = [make_conversation("Hi?", "Hello!"), make_conversation("Two plus two?", "Four.")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model(tmp_path_factory.mktemp("judge"), seed=6)


def card(folder: Path, **part: object) -> RewardModelCard:
    content = {
        "id": "tiny-rubric",
        "source": {"kind": "local", "path": str(folder)},
        "family": "rubric",
        "rubric": {"criteria": CRITERIA, **part},
        "dtype": "float32",
        "max_length": 500,
    }
    return RewardModelCard.model_validate(content)


def load(folder: Path, **part: object) -> RubricRewardModel:
    model = load_card_model(card(folder, **part), device="cpu")
    assert isinstance(model, RubricRewardModel)
    return model


def test_criteria_are_read_from_the_words_probabilities(folder: Path) -> None:
    model = load(folder)
    reading = model.read(CONVERSATIONS)[0]
    tokenizer, network = chat_tokenizer(), AutoModelForCausalLM.from_pretrained(folder)
    from core.models.rubric import _question

    for position, criterion in enumerate(CRITERIA):
        said = _question(CONVERSATIONS[0], str(criterion["text"]), model.card)
        text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(str(text), add_special_tokens=False)
        with torch.no_grad():
            after = network(torch.tensor([ids])).logits[0, -1].double().softmax(-1)
        single = {word: tokenizer.encode(word, add_special_tokens=False) for word in (*YES, *NO)}
        # No word is one token here, so first tokens count, but for the blank that begins both.
        firsts = [{single[w][0] for w in words} for words in (YES, NO)]
        assert not any(len(tokens) == 1 for tokens in single.values())
        yes, no = (
            sum(float(after[t]) for t in each - firsts[1 - i]) for i, each in enumerate(firsts)
        )
        assert reading.yes[position] == pytest.approx(yes / (yes + no), abs=1e-5)
        assert reading.mass[position] == pytest.approx(yes + no, abs=1e-6)


def test_what_questions_share_is_passed_once_and_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(folder)
    wanted = apart(model, CONVERSATIONS)
    passed: list[int] = []
    real = model.model.next_token_after

    def counted(prefix: Tokens, rest: Sequence[Tokens]) -> FloatArray:
        passed.append(len(prefix) + sum(map(len, rest)))
        return real(prefix, rest)

    monkeypatch.setattr(model.model, "next_token_after", counted)
    readings = model.read(CONVERSATIONS, asked=("explicit",))
    for reading, (yes, mass) in zip(readings, wanted, strict=True):
        np.testing.assert_allclose(reading.yes, yes, atol=1e-5)
        np.testing.assert_allclose(reading.mass, mass, atol=1e-5)
    asked = [model.token_counts(each)[0] for each in CONVERSATIONS]
    assert len(passed) == 2
    assert all(few < 0.75 * many for few, many in zip(passed, asked, strict=True))


def test_a_rubric_of_one_criterion_shares_nothing(folder: Path) -> None:
    model = load(folder, criteria=CRITERIA[:1])
    wanted = apart(model, CONVERSATIONS)
    for reading, (yes, _) in zip(model.read(CONVERSATIONS), wanted, strict=True):
        np.testing.assert_allclose(reading.yes, yes, atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "shared"),
    [
        ([(1, 2, 3), (1, 2, 4), (1, 2, 3, 5)], 2),
        ([(1, 2), (1, 2, 3)], 2),
        ([(1,), (2,)], 0),
        ([(1, 2)], 2),
    ],
)
def test_common_beginnings(texts: list[Tokens], shared: int) -> None:
    assert common_beginning(texts) == shared


@pytest.mark.slow
def test_the_embedded_rubric_reads_the_same_with_the_beginning_passed_once() -> None:
    model = load_card_model(load_card("smollm2-rubric"), device="cpu")
    assert isinstance(model, RubricRewardModel)
    texts = [make_conversation("Why is the sky blue?", "Air scatters blue light the most.")]
    ((yes, mass),) = apart(model, texts)
    (reading,) = model.read(texts, asked=("explicit",))
    np.testing.assert_allclose(reading.yes, yes, atol=1e-5)
    np.testing.assert_allclose(reading.mass, mass, atol=1e-5)


def apart(
    model: RubricRewardModel, conversations: Sequence[Conversation]
) -> list[tuple[FloatArray, FloatArray]]:
    """Each question passed by itself from its beginning to its end."""
    found = []
    for conversation in conversations:
        after = np.concatenate(
            [np.exp(model.model.next_token([each])) for each in model._questions(conversation)]
        )
        yes, no = model._tokens(YES), model._tokens(NO)
        shared = yes & no
        sums = [after[:, sorted(each - shared)].sum(axis=1) for each in (yes, no)]
        found.append((sums[0] / (sums[0] + sums[1]), sums[0] + sums[1]))
    return found


def test_explicit_reward_weighs_criteria_and_takes_pitfalls_off(folder: Path) -> None:
    model = load(folder)
    readings = model.read(CONVERSATIONS, asked=("explicit",))
    rewards = model.conversation_rewards(CONVERSATIONS).rewards
    for reading, reward in zip(readings, rewards, strict=True):
        answers, polite, rambles = reading.yes
        assert reward == pytest.approx((5 * answers + 3 * polite - 2 * rambles) / 8, abs=1e-6)
        assert np.isnan(reading.score)


def test_plain_yes_or_no_gives_shares(folder: Path) -> None:
    model = load(folder, met="yes-no", pitfalls="credit")
    reading = model.read(CONVERSATIONS)[0]
    met = (reading.yes >= 0.5).astype(float)
    wanted = (5 * met[0] + 3 * met[1] + 2 * (1 - met[2])) / 10
    assert model.explicit(reading) == pytest.approx(wanted)


def test_implicit_reward_is_one_expected_score(folder: Path) -> None:
    model = load(folder, aggregate="implicit")
    rewards = model.conversation_rewards(CONVERSATIONS).rewards
    readings = model.read(CONVERSATIONS, asked=("implicit",))
    np.testing.assert_allclose(rewards, [each.score for each in readings])
    assert ((rewards > 0) & (rewards < 1)).all()
    assert all(0 < each.score_mass < 1 for each in readings)


def test_one_that_is_too_long_fails_alone(folder: Path) -> None:
    model = load(folder)
    texts = [CONVERSATIONS[0], make_conversation("Hi", "word " * 500)]
    output = model.conversation_rewards(texts)
    assert np.isfinite(output.rewards).tolist() == [True, False]
    assert "tokens" in output.errors[1]


def test_two_rubrics_share_one_language_model(folder: Path) -> None:
    one, two = load(folder), load(folder, aggregate="implicit")
    assert one.model is two.model
    assert one.residence == two.residence
    assert one.n_bytes == 0
    assert one.fingerprint != two.fingerprint


def test_criteria_of_the_same_name_are_refused(folder: Path, tmp_path: Path) -> None:
    text = f"""
id: x
family: rubric
source: {{kind: local, path: {folder}}}
rubric: {{criteria: [{{name: a, text: b}}, {{name: a, text: c}}]}}
"""
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(CardError, match="same name"):
        read_card(tmp_path / "card.yaml")


def test_adapters_are_refused(folder: Path) -> None:
    local = {"kind": "local", "path": str(folder)}
    content = card(folder).model_dump(mode="json")
    content["source"] = {"kind": "adapter", "adapter": local, "base": local}
    with pytest.raises(ModelLoadError, match="language model in this process"):
        load_card_model(RewardModelCard.model_validate(content), device="cpu")


def test_the_service_scores_it_like_any_model(folder: Path) -> None:
    service = RewardService()
    try:
        model = load(folder)
        service.register(model)
        frame = service.score("tiny-rubric", CONVERSATIONS)
        report = service.conformance("tiny-rubric")
    finally:
        service.close()
    assert Capability.CRITERIA in model.capabilities
    assert (frame["error"] == "").all()
    assert report.holds
