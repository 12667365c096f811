from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM

from core.engine.service import RewardService
from core.errors import ConversationError, ModelLoadError
from core.models.base import Capability
from core.models.card import RewardModelCard
from core.models.implicit import ImplicitRewardModel, load_implicit
from core.models.language import LanguageModel
from core.models.loading import load_card_model
from core.schema import Message, make_conversation
from tests.tiny import save_language_model

TEXTS = [
    ("What is the capital of France?", "Paris, a city on the river Seine."),
    ("What is the capital of France?", "Bananas."),
    ("Two plus two?", "Two plus two is four, and three plus three is six; 17 and 42 too."),
    ("Say nothing.", ""),
    ("Unusual", "  日本語 with blanks before and <|end|> within  "),
]
CONVERSATIONS = [make_conversation(*each) for each in TEXTS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("implicit")
    policy = save_language_model(root / "policy", seed=1)
    reference = save_language_model(root / "reference", seed=2)
    network = AutoModelForCausalLM.from_pretrained(reference)
    shape = LoraConfig(task_type=TaskType.CAUSAL_LM, r=2, target_modules=["q_proj", "v_proj"])
    torch.manual_seed(3)
    peft = get_peft_model(network, shape)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn_like(weight) * 0.5)
    peft.save_pretrained(root / "adapter")
    return {"policy": policy, "reference": reference, "adapter": root / "adapter"}


def card(folders: dict[str, Path], *, adapter: bool = False, **changes: object) -> RewardModelCard:
    reference = {"kind": "local", "path": str(folders["reference"])}
    source: dict[str, object] = {"kind": "local", "path": str(folders["policy"])}
    if adapter:
        own = {"kind": "local", "path": str(folders["adapter"])}
        source = {"kind": "adapter", "adapter": own, "base": reference}
    part = {"reference": reference, "beta": 0.5, **changes.pop("part", {})}  # type: ignore[dict-item]
    content = {
        "id": "tiny-implicit",
        "source": source,
        "family": "implicit",
        "implicit": part,
        "dtype": "float32",
        "max_length": 256,
        **changes,
    }
    return RewardModelCard.model_validate(content)


def slow_log_probability(folder: Path | object, prompt: str, response: str) -> list[float]:
    """One token after the other, with the plain network and the tokenizer's own calls."""
    from tests.tiny import chat_tokenizer

    network = AutoModelForCausalLM.from_pretrained(folder) if isinstance(folder, Path) else folder
    tokenizer = chat_tokenizer()
    said = [{"role": "user", "content": prompt}]
    head = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    ids = tokenizer.encode(head, add_special_tokens=False)
    own = [*tokenizer.encode(response, add_special_tokens=False), tokenizer.eos_token_id]
    found = []
    for token in own:
        with torch.no_grad():
            logits = network(torch.tensor([ids])).logits[0, -1].double()
        found.append(float(logits.log_softmax(-1)[token]))
        ids = [*ids, token]
    return found


@pytest.mark.parametrize("length", ["sum", "mean"])
def test_the_reward_is_a_slow_plain_computation(folders: dict[str, Path], length: str) -> None:
    model = load_implicit(card(folders, part={"length": length}), device="cpu")
    rewards = model.conversation_rewards(CONVERSATIONS).rewards
    for (prompt, response), reward in zip(TEXTS, rewards, strict=True):
        policy = np.array(slow_log_probability(folders["policy"], prompt, response))
        reference = np.array(slow_log_probability(folders["reference"], prompt, response))
        ratios = policy - reference
        wanted = 0.5 * (ratios.sum() if length == "sum" else ratios.mean())
        assert reward == pytest.approx(wanted, abs=1e-4)


def test_an_adapter_shares_its_base_with_the_reference(folders: dict[str, Path]) -> None:
    model = load_implicit(card(folders, adapter=True), device="cpu")
    separate = AutoModelForCausalLM.from_pretrained(folders["reference"])
    assert model.n_bytes < 1.2 * separate.get_memory_footprint()
    found = model.token_ratios(CONVERSATIONS)
    for (prompt, response), each in zip(TEXTS, found, strict=True):
        wanted = slow_log_probability(folders["reference"], prompt, response)
        np.testing.assert_allclose(each.reference, wanted, atol=1e-4)
        own = slow_log_probability(model.policy.network, prompt, response)
        np.testing.assert_allclose(each.policy, own, atol=1e-4)
    assert max(float(np.abs(each.ratios).max()) for each in found) > 0.01


def test_a_policy_against_itself_has_no_reward(folders: dict[str, Path]) -> None:
    same = {"reference": {"kind": "local", "path": str(folders["policy"])}}
    model = load_implicit(card(folders, part=same), device="cpu")
    np.testing.assert_allclose(model.conversation_rewards(CONVERSATIONS).rewards, 0, atol=1e-6)


def test_the_boundary_does_not_move_with_the_response(folders: dict[str, Path]) -> None:
    model = load_implicit(card(folders), device="cpu")
    both = model.token_ratios([make_conversation("Hi", "\n\nsame"), make_conversation("Hi", "x")])
    assert both[0].n_prompt == both[1].n_prompt
    assert "".join(both[0].pieces[:-1]) == "\n\nsame"
    assert both[0].pieces[-1] == "<|end|>"


def test_rewards_do_not_depend_on_batch_or_order(folders: dict[str, Path]) -> None:
    model = load_implicit(card(folders), device="cpu")
    together = model.conversation_rewards(CONVERSATIONS).rewards
    alone = [model.conversation_rewards([each]).rewards[0] for each in CONVERSATIONS[::-1]][::-1]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_what_is_too_long_is_cut_and_told(folders: dict[str, Path]) -> None:
    long = make_conversation("Hi", "word " * 200)
    model = load_implicit(card(folders, max_length=40), device="cpu")
    n_read, n_cut = model.token_counts(long)
    assert (n_read, n_cut > 0) == (40, True)
    assert len(model.token_ratios([long])[0].ratios) == 40 - model.token_ratios([long])[0].n_prompt
    left = load_implicit(card(folders, max_length=40, truncation_side="left"), device="cpu")
    reading = left.token_ratios([make_conversation("word " * 100, "fine")])[0]
    assert "".join(reading.pieces) == "fine<|end|>"
    with pytest.raises(ConversationError, match="no room"):
        model.token_ratios([make_conversation("word " * 100, "fine")])


def test_a_prompt_without_room_fails_alone(folders: dict[str, Path]) -> None:
    model = load_implicit(card(folders, max_length=40), device="cpu")
    texts = [make_conversation("Hi", "Ho"), make_conversation("word " * 100, "fine")]
    output = model.conversation_rewards(texts)
    assert np.isfinite(output.rewards).tolist() == [True, False]
    assert output.errors[0] == ""
    assert "no room" in output.errors[1]


def test_other_tokenizers_are_refused(folders: dict[str, Path]) -> None:
    from tests.tiny import pair_tokenizer

    model = load_implicit(card(folders), device="cpu")
    other = LanguageModel(model.policy.network, pair_tokenizer(), fingerprint="other")
    with pytest.raises(ModelLoadError, match="different tokenizers"):
        ImplicitRewardModel(model.card, model.policy, other)


def test_card_beta_length_and_reference_are_in_the_fingerprint(folders: dict[str, Path]) -> None:
    made = [
        load_implicit(card(folders), device="cpu"),
        load_implicit(card(folders, part={"beta": 0.1}), device="cpu"),
        load_implicit(card(folders, part={"length": "mean"}), device="cpu"),
        load_implicit(card(folders, adapter=True), device="cpu"),
    ]
    assert len({model.fingerprint for model in made}) == 4


def test_the_service_scores_it_like_any_model(folders: dict[str, Path]) -> None:
    model = load_card_model(card(folders), device="cpu")
    assert Capability.TOKEN_RATIOS in model.capabilities
    service = RewardService()
    try:
        service.register(model)
        frame = service.score("tiny-implicit", CONVERSATIONS)
        report = service.conformance("tiny-implicit")
    finally:
        service.close()
    assert (frame["error"] == "").all()
    assert (frame["n_tokens"] > 0).all()
    assert report.holds


def test_roles_other_than_assistant_last_are_refused(folders: dict[str, Path]) -> None:
    model = load_implicit(card(folders), device="cpu")
    asked: list[Message] = [{"role": "user", "content": "Hi"}]
    assert "does not end" in model.conversation_rewards([asked]).errors[0]
