from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from core.engine.service import RewardService
from core.errors import CardError, ConversationError, ModelLoadError
from core.models.base import Capability
from core.models.card import RewardModelCard, read_card
from core.models.loading import load_card_model
from core.models.process import ProcessRewardModel, load_process, read_head
from core.schema import make_conversation
from tests.tiny import chat_tokenizer, config, save_language_model

PROMPT = "What is 2 + 2 + 3?"
STEPS = ("Two plus two is four.", "Four plus three is seven.", "日本語 17")
CONVERSATION = make_conversation(PROMPT, "\n\n".join(STEPS))


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model(tmp_path_factory.mktemp("tagger"), seed=5)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(4)
    AutoModelForTokenClassification.from_config(config("llama", labels=2)).save_pretrained(folder)
    chat_tokenizer().save_pretrained(folder)
    return folder


def card(folder: Path, **part: object) -> RewardModelCard:
    content = {
        "id": "tiny-process",
        "source": {"kind": "local", "path": str(folder)},
        "family": "process",
        "process": {"form": "step-tag", "tag": " #", **part},
        "dtype": "float32",
        "max_length": 200,
    }
    return RewardModelCard.model_validate(content)


def rendered() -> str:
    said = [{"role": "user", "content": PROMPT}]
    return str(
        chat_tokenizer().apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    )


def prefix_ids(n_steps: int, tag: str, after: str = "") -> list[int]:
    """Tokens up to and with the tag of step n, by cutting the text there."""
    text = after.join(step + tag for step in STEPS[:n_steps])
    tokenizer = chat_tokenizer()
    head = tokenizer.encode(rendered(), add_special_tokens=False)
    return [*head, *tokenizer.encode(text, add_special_tokens=False)]


def test_step_tag_scores_are_a_slow_plain_computation(tagger: Path) -> None:
    model = load_process(card(tagger, after="\n"), device="cpu")
    found = model.step_rewards([CONVERSATION])[0]
    network = AutoModelForCausalLM.from_pretrained(tagger)
    plus, minus = (chat_tokenizer().encode(w, add_special_tokens=False)[0] for w in "+-")
    assert found.steps == STEPS
    for number in range(3):
        with torch.no_grad():
            ids = torch.tensor([prefix_ids(number + 1, " #", "\n")])
            each = network(ids).logits[0, -1].double().softmax(-1)
        wanted = float(each[plus] / (each[plus] + each[minus]))
        assert found.scores[number] == pytest.approx(wanted, abs=1e-5)
        assert found.mass[number] == pytest.approx(float(each[plus] + each[minus]), abs=1e-6)


def test_steps_as_turns_ask_after_every_step(tagger: Path) -> None:
    model = load_process(card(tagger, layout="turns", tag=""), device="cpu")
    found = model.step_rewards([CONVERSATION])[0]
    assert found.steps == STEPS
    tokenizer = chat_tokenizer()
    network = AutoModelForCausalLM.from_pretrained(tagger)
    plus, minus = (tokenizer.encode(w, add_special_tokens=False)[0] for w in "+-")
    said: list[dict[str, str]] = []
    for number, step in enumerate(STEPS):
        content = f"{PROMPT} {step}" if number == 0 else step
        said.append({"role": "user", "content": content})
        text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(str(text), add_special_tokens=False)
        with torch.no_grad():
            each = network(torch.tensor([ids])).logits[0, -1].double().softmax(-1)
        wanted = float(each[plus] / (each[plus] + each[minus]))
        assert found.scores[number] == pytest.approx(wanted, abs=1e-5)
        said.append({"role": "assistant", "content": "+"})


def test_two_class_scores_are_the_token_classifiers(classifier: Path) -> None:
    model = load_process(card(classifier, form="two-class"), device="cpu")
    found = model.step_rewards([CONVERSATION])[0]
    network = AutoModelForTokenClassification.from_pretrained(classifier)
    for number in range(3):
        with torch.no_grad():
            ids = torch.tensor([prefix_ids(number + 1, " #")])
            each = network(ids).logits[0, -1].double().softmax(-1)
        assert found.scores[number] == pytest.approx(float(each[1]), abs=1e-5)
    assert (found.mass == 1).all()


def test_a_head_of_two_maps_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    names = ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias")
    shapes = ((8, 8), (8,), (2, 8), (2,))
    tensors = {n: torch.randn(s) for n, s in zip(names, shapes, strict=True)}
    save_file(tensors, tmp_path / "model.safetensors")
    states = torch.randn(3, 8)
    inner = torch.relu(states @ tensors["score.0.weight"].T + tensors["score.0.bias"])
    wanted = inner @ tensors["score.2.weight"].T + tensors["score.2.bias"]
    torch.testing.assert_close(read_head("x", tmp_path)(states), wanted)


def test_a_checkpoint_without_a_head_is_refused(tagger: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no two-class head"):
        load_process(card(tagger, form="two-class"), device="cpu")
    save_file({"score.weight": torch.zeros(3, 8)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match="3 outputs"):
        read_head("x", tmp_path)


@pytest.mark.parametrize(
    ("rule", "reduce"),
    [("min", np.min), ("product", np.prod), ("mean", np.mean), ("last", lambda s: s[-1])],
)
def test_the_reward_is_the_cards_aggregate(tagger: Path, rule: str, reduce: object) -> None:
    model = load_process(card(tagger, aggregate=rule), device="cpu")
    scores = model.step_rewards([CONVERSATION])[0].scores
    reward = model.conversation_rewards([CONVERSATION]).rewards[0]
    assert reward == pytest.approx(reduce(scores))  # type: ignore[operator]


def test_blank_and_long_responses_fail_alone(tagger: Path) -> None:
    model = load_process(card(tagger), device="cpu")
    texts = [
        CONVERSATION,
        make_conversation(PROMPT, " \n\n "),
        make_conversation(PROMPT, "word " * 300),
    ]
    output = model.conversation_rewards(texts)
    assert np.isfinite(output.rewards).tolist() == [True, False, False]
    assert "no step" in output.errors[1]
    assert "last steps" in output.errors[2]


def test_a_later_step_does_not_change_an_earlier_score(tagger: Path) -> None:
    model = load_process(card(tagger), device="cpu")
    short = make_conversation(PROMPT, "\n\n".join(STEPS[:2]))
    long, brief = model.step_rewards([CONVERSATION, short])
    np.testing.assert_allclose(long.scores[:2], brief.scores, atol=1e-5)


def test_words_that_are_one_token_are_needed(tagger: Path) -> None:
    with pytest.raises(ModelLoadError, match="do not differ"):
        load_process(card(tagger, good="+", bad="+"), device="cpu")
    with pytest.raises(ModelLoadError, match="one token each"):
        load_process(card(tagger, good="wholly right", bad="wholly wrong"), device="cpu")


def test_a_tag_that_joins_the_next_step_is_refused(tagger: Path) -> None:
    model = load_process(card(tagger, tag="T"), device="cpu")
    joined = make_conversation(PROMPT, "a\n\nhe quick brown fox")
    with pytest.raises(ConversationError, match="joined"):
        model.step_rewards([joined])


def test_cards_that_contradict_themselves_are_refused(tagger: Path, tmp_path: Path) -> None:
    text = f"""
id: x
family: process
source: {{kind: local, path: {tagger}}}
process: {{form: step-tag, tag: ""}}
"""
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(CardError, match="tag is required"):
        read_card(tmp_path / "card.yaml")


def test_the_service_scores_it_like_any_model(tagger: Path) -> None:
    model = load_card_model(card(tagger), device="cpu")
    assert isinstance(model, ProcessRewardModel)
    assert Capability.STEP_REWARDS in model.capabilities
    service = RewardService()
    try:
        service.register(model)
        frame = service.score("tiny-process", [CONVERSATION])
        report = service.conformance("tiny-process")
    finally:
        service.close()
    assert frame["error"].tolist() == [""]
    assert report.holds


def test_given_steps_are_not_cut_again(tagger: Path) -> None:
    model = load_card_model(card(tagger), device="cpu")
    assert isinstance(model, ProcessRewardModel)
    turns = CONVERSATION[:-1]
    (cut,) = model.step_rewards([CONVERSATION])
    same = model.score_steps(turns, STEPS)
    assert same.steps == cut.steps
    np.testing.assert_allclose(same.scores, cut.scores)
    whole = model.score_steps(turns, ["One.\n\nStill one.", "Two."])
    assert len(whole.scores) == 2
    with pytest.raises(ConversationError):
        model.score_steps(turns, [])
