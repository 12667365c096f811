"""A tiny base, a few prompts and a recipe that fit together."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from core.training.classifier import TrainableClassifier
from core.training.groups import TrainingGroup, make_groups, template_encoder
from core.training.preferences import AuthoredPrompt, FlawedResponse
from core.training.recipe import Recipe
from core.training.sources import authored_group
from tests import tiny

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random causal language model in float32, saved with its tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    model = LlamaForCausalLM(tiny.config("llama", num_hidden_layers=4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25)
    model.save_pretrained(folder)
    tiny.chat_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def recipe(tiny_base: Path) -> Recipe:
    """A recipe for the tiny base with every stochastic part switched on."""
    return Recipe(
        name="tiny",
        base=str(tiny_base),
        template=TEMPLATE,
        frozen_layers=2,
        lora_rank=2,
        lora_dropout=0.1,
        learning_rate=1e-2,
        epochs=4,
        prompts_per_batch=3,
        swapped_per_prompt=1,
        swapped_pool=2,
        validation_share=0.25,
        validations_per_epoch=2,
        patience=0,
    )


@pytest.fixture(scope="session")
def prompts() -> tuple[AuthoredPrompt, ...]:
    """Twelve prompts whose good responses say "four" and whose flawed ones do not."""
    return tuple(
        AuthoredPrompt(
            id=f"count-{number:03d}",
            category="even" if number % 2 == 0 else "odd",
            prompt=f"What is two plus two, question {number}?",
            good=f"The answer to {number} is four.",
            flawed=(
                FlawedResponse("rude", f"Read a book, number {number}!" + " No." * (number % 4)),
                FlawedResponse("truncated", f"The answer to {number} is the"),
            ),
        )
        for number in range(12)
    )


@pytest.fixture
def groups(recipe: Recipe, prompts: tuple[AuthoredPrompt, ...]) -> list[TrainingGroup]:
    """The prompts in the tiny base's tokens."""
    encode = template_encoder(tiny.chat_tokenizer(), recipe.template, max_length=128)
    responses = [authored_group(prompt) for prompt in prompts]
    return make_groups(responses, encode, n_swapped=recipe.swapped_pool, seed=0)


@pytest.fixture
def classifier(recipe: Recipe, tiny_base: Path) -> TrainableClassifier:
    """A fresh network of the recipe in float32."""
    return TrainableClassifier(
        recipe, tiny_base, device=torch.device("cpu"), compute_dtype=torch.float32
    )
