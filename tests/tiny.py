"""Tiny random reward models with real tokenizers, built on the spot and saved like real ones."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    DebertaV2Config,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from core.models.language import LanguageModel

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
SPECIAL = ["<s>", "<pad>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
PAIR_SPECIAL = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
CORPUS = [
    "The quick brown fox jumps over the lazy dog while the reward model reads every single word.",
    "What is the capital of France? The capital of France is Paris, a city on the river Seine.",
    "Two plus two is four, and three plus three is six; numbers such as 17 and 42 appear too.",
    "Thank you for the question! Here are three steps: first, then, finally. Ünïcödé and 日本語.",
] * 4

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}
DECODER_SIZES = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}
CAUSAL_KINDS = ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3")
ENCODER_KINDS = ("deberta", "modernbert")


@cache
def chat_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a chat template."""
    tokenizer = _train(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        chat_template=CHAT_TEMPLATE,
    )


@cache
def pair_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that joins two texts the way encoders want them."""
    tokenizer = _train(PAIR_SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 0), ("[SEP]", 1)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
    )


def _train(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def config(kind: str, *, labels: int = 1, **changes: Any) -> PreTrainedConfig:
    """The configuration of a tiny model of one architecture."""
    paired = kind in ENCODER_KINDS
    tokenizer = pair_tokenizer() if paired else chat_tokenizer()
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "num_labels": labels,
    }
    builders: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
        "llama": (LlamaConfig, DECODER_SIZES),
        "qwen2": (Qwen2Config, {**SIZES, "num_key_value_heads": 2}),
        "qwen3": (Qwen3Config, DECODER_SIZES),
        "mistral": (MistralConfig, {**DECODER_SIZES, "sliding_window": 16}),
        "gemma2": (Gemma2Config, {**DECODER_SIZES, "sliding_window": 16}),
        "gemma3": (
            Gemma3TextConfig,
            {
                **DECODER_SIZES,
                "sliding_window": 16,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            },
        ),
        "deberta": (DebertaV2Config, {**SIZES, "type_vocab_size": 2, "relative_attention": True}),
        "modernbert": (
            ModernBertConfig,
            {**SIZES, "local_attention": 16, "cls_token_id": 0, "sep_token_id": 1},
        ),
    }
    cls, sizes = builders[kind]
    return cls(**{**common, **sizes, **changes})


def save_model(kind: str, folder: Path, *, labels: int = 1, seed: int = 0, **changes: Any) -> Path:
    """Builds a tiny random classifier and saves it with its tokenizer; returns the folder."""
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config(kind, labels=labels, **changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25)
    model.save_pretrained(folder)
    (pair_tokenizer() if kind in ENCODER_KINDS else chat_tokenizer()).save_pretrained(folder)
    return folder


def save_language_model(folder: Path, kind: str = "llama", *, seed: int = 0) -> Path:
    """A tiny random causal language model saved with its tokenizer."""
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config(kind)).save_pretrained(folder)
    chat_tokenizer().save_pretrained(folder)
    return folder


def tiny_language_model(kind: str = "llama", *, seed: int = 0) -> LanguageModel:
    """The same in memory, in float32 on the CPU."""
    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_config(config(kind)).eval()
    return LanguageModel(network, chat_tokenizer(), fingerprint=f"tiny:{kind}:{seed}")


def card_content(kind: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """The fields of a card for a saved tiny model."""
    content: dict[str, Any] = {
        "id": f"tiny-{kind}",
        "source": {"kind": "local", "path": str(folder)},
        "family": "text-pair" if kind in ENCODER_KINDS else "sequence-classifier",
        "input": {"form": "text-pair"} if kind in ENCODER_KINDS else {"form": "chat-template"},
        "max_length": 256,
        "dtype": "float32",
    }
    return {**content, **changes}
