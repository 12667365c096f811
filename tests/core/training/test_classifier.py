import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from core.training.classifier import TrainableClassifier, adapter_config, save_adapter
from core.training.objectives import bradley_terry, reward_batch
from tests import tiny


def texts_of(groups):
    return [text.ids for group in groups for text in group.texts]


def disturb(classifier: TrainableClassifier) -> None:
    """Moves every trained weight off its initial value (LoRA's second factor starts at zero)."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in [*classifier.adapter_parameters(), *classifier.head_parameters()]:
            parameter.add_(torch.randn_like(parameter) * 0.2)


def gradients(classifier, groups, rewards):
    loss = bradley_terry(centring=0.01)(reward_batch(rewards, groups))
    classifier.model.zero_grad()
    loss.backward()
    parameters = [*classifier.adapter_parameters(), *classifier.head_parameters()]
    return loss.item(), [parameter.grad.clone() for parameter in parameters]


def test_cached_lower_layers_give_the_loss_and_gradients_of_a_plain_forward(classifier, groups):
    disturb(classifier)
    batch, states = groups[:4], classifier.frozen_states(groups)
    texts = texts_of(batch)
    cached_loss, cached = gradients(classifier, batch, classifier.rewards(texts, states))
    plain_loss, plain = gradients(classifier, batch, classifier.plain_rewards(texts))
    assert cached_loss == pytest.approx(plain_loss, abs=1e-5)
    assert all(gradient.abs().max() > 0 for gradient in plain)
    for found, expected in zip(cached, plain, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_only_upper_layers_and_the_head_are_trained(classifier):
    names = [name for name, p in classifier.model.named_parameters() if p.requires_grad]
    layers = {int(name.split(".layers.")[1].split(".")[0]) for name in names if "layers." in name}
    assert layers == {2, 3}
    assert sum("score" in name for name in names) == 1
    assert all(p.dtype == torch.float32 for p in classifier.model.parameters() if p.requires_grad)


def test_rewards_start_near_zero(classifier, groups):
    with torch.no_grad():
        assert classifier.plain_rewards(texts_of(groups)).abs().max() < 0.1


def test_saved_adapter_gives_equal_rewards_when_peft_loads_it(
    classifier, groups, recipe, tiny_base, tmp_path
):
    disturb(classifier)
    config = adapter_config(recipe, 4, base_name="some/base")
    save_adapter(classifier.trained_state(), tmp_path, config=config)
    base = AutoModelForSequenceClassification.from_pretrained(tiny_base, num_labels=1)
    loaded = PeftModel.from_pretrained(base, tmp_path).eval()
    classifier.model.eval()
    tokenizer = tiny.chat_tokenizer()
    for ids in texts_of(groups[:3]):
        # The pad token is not at the end of any text, so the last token is read.
        assert ids[-1] != tokenizer.pad_token_id
        with torch.no_grad():
            found = loaded(input_ids=torch.tensor([ids])).logits.item()
            expected = classifier.plain_rewards([ids]).item()
        assert found == pytest.approx(expected, abs=1e-4)


def test_saved_configuration_names_the_base_it_is_told(recipe, classifier, tmp_path):
    save_adapter(
        classifier.trained_state(), tmp_path, config=adapter_config(recipe, 4, base_name="a/b")
    )
    text = (tmp_path / "adapter_config.json").read_text()
    assert '"base_model_name_or_path": "a/b"' in text
    assert recipe.base not in text


def test_trained_state_comes_back_after_a_change(classifier, groups):
    texts = texts_of(groups)
    disturb(classifier)
    classifier.model.eval()
    with torch.no_grad():
        before = classifier.plain_rewards(texts)
        state = classifier.trained_state()
        disturb(classifier)
        assert not torch.allclose(classifier.plain_rewards(texts), before, atol=1e-2)
        classifier.load_trained_state(state)
        torch.testing.assert_close(classifier.plain_rewards(texts), before)
