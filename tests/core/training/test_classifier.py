import dataclasses

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from core.errors import ModelLoadError, SettingsError
from core.models.card import EmbeddedSource, HubSource, LocalSource
from core.training.classifier import (
    TrainableClassifier,
    adapter_config,
    base_path,
    base_source,
    save_adapter,
)
from core.training.frozen import FrozenStates, StatesOnDemand
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
    loss = bradley_terry(centring=0.01)(reward_batch(rewards, groups)).total
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


def test_a_run_can_begin_with_a_trained_adapter_of_its_shape_only(
    recipe, classifier, groups, tiny_base, tmp_path
):
    disturb(classifier)
    config = adapter_config(recipe, 4, base_name="some/base")
    save_adapter(classifier.trained_state(), tmp_path, config=config)
    fresh = TrainableClassifier(
        recipe, tiny_base, device=classifier.device, compute_dtype=classifier.compute_dtype
    )
    fresh.start_from(tmp_path)
    texts = texts_of(groups[:2])
    for model in (classifier, fresh):
        model.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(fresh.plain_rewards(texts), classifier.plain_rewards(texts))
    wider = TrainableClassifier(dataclasses.replace(recipe, lora_rank=3), tiny_base)
    with pytest.raises(SettingsError, match="another shape"):
        wider.start_from(tmp_path)
    with pytest.raises(SettingsError, match="no adapter"):
        wider.start_from(tmp_path / "nothing")


def test_states_that_would_not_fit_are_computed_for_each_batch_with_equal_rewards(
    classifier, groups
):
    disturb(classifier)
    kept = classifier.frozen_states(groups)
    on_demand = classifier.frozen_states(groups, most_bytes=1000)
    assert isinstance(kept, FrozenStates)
    assert isinstance(on_demand, StatesOnDemand)
    texts = texts_of(groups[:4])
    with torch.no_grad():
        expected, found = (classifier.rewards(texts, states) for states in (kept, on_demand))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_states_too_large_for_the_disk_are_not_written(classifier, groups, tmp_path):
    file = tmp_path / "states.safetensors"
    classifier.frozen_states(groups, file=file, most_file_bytes=1000)
    assert not file.exists()
    classifier.frozen_states(groups, file=file)
    assert file.is_file()


def test_recomputed_activations_give_the_same_gradients(classifier, groups):
    disturb(classifier)
    batch, states = groups[:4], classifier.frozen_states(groups)
    texts = texts_of(batch)
    _, kept = gradients(classifier, batch, classifier.rewards(texts, states))
    classifier.model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
    classifier.model.train()
    for module in classifier.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    _, recomputed = gradients(classifier, batch, classifier.rewards(texts, states))
    for found, expected in zip(recomputed, kept, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_base_is_the_embedded_one_a_folder_or_a_hub_id(tmp_path):
    assert base_source("smollm2-135m-instruct") == EmbeddedSource(
        kind="embedded", name="smollm2-135m-instruct"
    )
    assert base_source(str(tmp_path)) == LocalSource(kind="local", path=tmp_path.resolve())
    assert base_source("org/name@abc") == HubSource(kind="hub", repo="org/name", revision="abc")
    assert base_path(str(tmp_path)) == tmp_path.resolve()


def test_a_base_that_is_none_of_these_is_refused():
    with pytest.raises(SettingsError, match=r"no base model 'nothing-here'.*hub id"):
        base_path("nothing-here")


def test_a_hub_base_that_cannot_be_had_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelLoadError, match="no-such-org/no-such-model"):
        base_path("no-such-org/no-such-model")


def test_at_least_one_layer_must_be_left_to_train(recipe, tiny_base):
    with pytest.raises(SettingsError, match=r"frozen_layers is 4.*only 4 layers"):
        TrainableClassifier(dataclasses.replace(recipe, frozen_layers=4), tiny_base)


def test_targets_that_the_base_does_not_have_are_refused(recipe, tiny_base):
    with pytest.raises(SettingsError, match="no adapter fits"):
        TrainableClassifier(dataclasses.replace(recipe, lora_targets=("nope",)), tiny_base)


def test_a_base_that_cannot_be_divided_is_refused_with_advice(recipe, groups, tmp_path):
    folder = tiny.save_model("gemma2", tmp_path, num_hidden_layers=4)
    odd = TrainableClassifier(
        dataclasses.replace(recipe, frozen_layers=1, base=str(folder)),
        folder,
        device=torch.device("cpu"),
        compute_dtype=torch.float32,
    )
    with pytest.raises(SettingsError, match="Choose another number of frozen_layers"):
        odd.frozen_states(groups)
