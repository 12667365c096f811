"""The network that is trained: a base with LoRA on its upper layers and a scalar head.

Building it, reading rewards from it, and saving and loading what was trained in PEFT's own form.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForSequenceClassification

from core.errors import SettingsError
from core.models import embedded, precision, weights
from core.models.card import BaseSource, EmbeddedSource, HubSource, LocalSource
from core.training.frozen import (
    DividedDecoder,
    States,
    StatesOnDemand,
    Tick,
    frozen_states,
    n_state_bytes,
    pad_batch,
)
from core.training.groups import TrainingGroup
from core.training.objectives.batch import batch_texts
from core.training.recipe import Recipe

Tensors = dict[str, torch.Tensor]


def base_source(name: str) -> BaseSource:
    """Where a recipe's base comes from: the package that embeds it, a local folder, or the hub."""
    if name == embedded.BASE_NAME:
        return EmbeddedSource(kind="embedded", name=name)
    if Path(name).is_dir():
        return LocalSource(kind="local", path=Path(name).resolve())
    repo, _, revision = name.partition("@")
    return HubSource(kind="hub", repo=repo, revision=revision or "main")


def base_path(name: str) -> Path:
    """Folder of a recipe's base, made ready or downloaded if need be.

    Raises:
        SettingsError: the name is neither the embedded base, a folder here nor a hub id.
        ModelLoadError: the files cannot be had.
    """
    source = base_source(name)
    if isinstance(source, HubSource) and source.repo.count("/") != 1:
        raise SettingsError(
            f"There is no base model {name!r}.",
            fix=f"Name {embedded.BASE_NAME}, a local folder, or a hub id (org/name).",
        )
    return source.path if isinstance(source, LocalSource) else weights.fetch(source)


class TrainableClassifier:
    """A reward model under training.

    Args:
        recipe: rank, targets, frozen layers and seed are read from it.
        base: folder of the base model.
        device: where to train.
        compute_dtype: of the matrix products; bfloat16 where the processor has it when None. The
            residual stream, the adapters and the head are float32 in any case.
    """

    def __init__(
        self,
        recipe: Recipe,
        base: Path,
        *,
        device: torch.device | None = None,
        compute_dtype: torch.dtype | None = None,
    ) -> None:
        self.recipe = recipe
        self.device = device or precision.default_device()
        self.compute_dtype = compute_dtype or best_compute_dtype(self.device)
        self.base = base
        self.model = _build(recipe, base, self.compute_dtype, self.device).to(self.device)
        network = self.model.get_base_model()
        configured = network.config.get_text_config().pad_token_id
        # It only fills rows behind their last token, where nothing is read.
        self.pad_id: int = configured if isinstance(configured, int) else 0
        decoder = getattr(network, network.base_model_prefix)
        self.decoder = DividedDecoder(decoder, recipe.frozen_layers, self.compute_dtype)
        self._head: nn.Module = network.score
        self.second_head: nn.Linear | None = None
        if recipe.objective == "odin":
            self.second_head = _small(nn.Linear(network.config.hidden_size, 1, bias=False))
            self.second_head.to(self.device)

    def frozen_states(
        self,
        groups: Sequence[TrainingGroup],
        *,
        file: Path | None = None,
        tick: Tick | None = None,
        most_bytes: float = math.inf,
        most_file_bytes: float = math.inf,
    ) -> States:
        """States below the adapters for every text.

        Args:
            groups: with all texts that will be read.
            file: where the states are kept; see `core.training.frozen.frozen_states`.
            tick: told the progress.
            most_bytes: where the states would take more memory, they are computed for each batch.
            most_file_bytes: where they would take more, they are not written to `file`.

        Raises:
            SettingsError: the base cannot be divided after the recipe's frozen layers.
        """
        texts = batch_texts(groups)
        exact = self.compute_dtype == torch.float32
        state_dtype = torch.float32 if exact else torch.bfloat16
        self.model.eval()
        longest = torch.tensor([max(texts, key=len)], device=self.device)
        try:
            self.decoder.check(longest, tolerance=1e-3)
        except ValueError as error:
            raise SettingsError(
                f"{self.recipe.base}: {error}", fix="Choose another number of frozen_layers."
            ) from error
        hidden = self.model.get_base_model().config.get_text_config().hidden_size
        n_bytes = n_state_bytes(texts, hidden, state_dtype)
        if n_bytes > most_bytes:
            return StatesOnDemand(self.decoder, self.pad_id)
        return frozen_states(
            self.decoder,
            texts,
            pad_id=self.pad_id,
            device=self.device,
            state_dtype=state_dtype,
            file=file if n_bytes <= most_file_bytes else None,
            tick=tick,
        )

    def rewards(self, texts: Sequence[tuple[int, ...]], states: States) -> torch.Tensor:
        """Rewards (n,) float32 of texts whose lower states are known, with gradient."""
        return self.outputs(texts, states)[:, 0]

    def outputs(self, texts: Sequence[tuple[int, ...]], states: States) -> torch.Tensor:
        """(n, 1) rewards, or (n, 2) with the second head's output beside them, with gradient."""
        return self._read(self.decoder.upper(states.batch(texts, self.device)), texts)

    def plain_rewards(self, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Rewards (n,) float32 by an ordinary forward through all layers, with gradient."""
        ids = pad_batch(texts, self.pad_id, self.device)
        return self._read(self.decoder.whole(ids), texts)[:, 0]

    def _read(self, hidden: torch.Tensor, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        last = torch.tensor([len(ids) - 1 for ids in texts], device=self.device)
        pooled = hidden[torch.arange(len(texts), device=self.device), last]
        heads = [self._head] if self.second_head is None else [self._head, self.second_head]
        return torch.cat([head(pooled) for head in heads], dim=1)

    def head_weights(self) -> torch.Tensor | None:
        """(2, hidden) weights of the scalar head and of the second one, where there is one."""
        if self.second_head is None:
            return None
        return torch.cat([*self._head_weights(), self.second_head.weight])

    def _head_weights(self) -> list[nn.Parameter]:
        return [p for p in self._head.parameters() if p.requires_grad]

    def head_parameters(self) -> list[nn.Parameter]:
        """The weights of the scalar head, and of the second one where there is one."""
        second = list(self.second_head.parameters()) if self.second_head is not None else []
        return [*self._head_weights(), *second]

    def adapter_parameters(self) -> list[nn.Parameter]:
        """The low-rank weights, without the head."""
        head = {id(parameter) for parameter in self.head_parameters()}
        return [p for p in self.model.parameters() if p.requires_grad and id(p) not in head]

    def trained_state(self) -> Tensors:
        """Copies of the weights a published adapter has, head included, by their PEFT names.

        A second head only serves training and is not among them.
        """
        state = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def load_trained_state(self, state: Tensors) -> None:
        """Puts back what `trained_state` gave."""
        set_peft_model_state_dict(self.model, dict(state))

    def start_from(self, folder: Path) -> None:
        """Takes the weights of a trained adapter.

        Args:
            folder: of the adapter.

        Raises:
            SettingsError: there is none, or it is of another shape than this recipe's.
        """
        file = folder / "adapter_model.safetensors"
        if not file.is_file():
            raise SettingsError(
                f"Recipe {self.recipe.name}: there is no adapter in {folder} to start from.",
                fix="Train that recipe first.",
            )
        state = load_file(file)
        own = {name: tensor.shape for name, tensor in self.trained_state().items()}
        if own != {name: tensor.shape for name, tensor in state.items()}:
            raise SettingsError(
                f"Recipe {self.recipe.name}: the adapter in {folder} has another shape.",
                fix="Use its base, lora_rank, lora_targets and frozen_layers.",
            )
        self.load_trained_state(state)


def best_compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, else float32."""
    return precision.resolve("bfloat16-matmul", device).weights


def save_adapter(
    state: Tensors,
    folder: Path,
    *,
    config: LoraConfig,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes adapter_model.safetensors and adapter_config.json, loadable by PEFT."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.to(dtype).contiguous() for name, tensor in sorted(state.items())}
    file = folder / "adapter_model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    file.chmod(0o644)  # safetensors makes it readable by its owner only
    config.save_pretrained(folder)
    # PEFT keeps the targets as a set, so their order would change from run to run.
    written = folder / "adapter_config.json"
    content = json.loads(written.read_text(encoding="utf-8"))
    content["target_modules"] = sorted(content["target_modules"])
    written.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def adapter_config(recipe: Recipe, n_layers: int, *, base_name: str) -> LoraConfig:
    """The PEFT configuration of a recipe.

    Args:
        recipe: rank, scale, targets and frozen layers.
        n_layers: layers of the base.
        base_name: what the saved configuration names as its base.
    """
    return LoraConfig(
        task_type=TaskType.SEQ_CLS,
        base_model_name_or_path=base_name,
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets),
        layers_to_transform=list(range(recipe.frozen_layers, n_layers)),
        layers_pattern="layers",
        modules_to_save=["score"],
        inference_mode=True,
    )


def _build(
    recipe: Recipe, base: Path, compute_dtype: torch.dtype, device: torch.device
) -> PeftModel:
    torch.manual_seed(recipe.seed)
    # On a CPU the fused kernel's backward is the slow part: written out, a step takes a quarter
    # less time at the lengths trained on.
    attention = "eager" if device.type == "cpu" else "sdpa"
    options: dict[str, Any] = {"num_labels": 1, "dtype": compute_dtype, "use_safetensors": True}
    network = AutoModelForSequenceClassification.from_pretrained(
        base, attn_implementation=attention, **options
    )
    n_layers = network.config.get_text_config().num_hidden_layers
    if recipe.frozen_layers >= n_layers:
        raise SettingsError(
            f"Recipe {recipe.name}: frozen_layers is {recipe.frozen_layers}, and {recipe.base} has "
            f"only {n_layers} layers.",
            fix="Leave at least one layer to train.",
        )
    config = adapter_config(recipe, n_layers, base_name=str(base))
    config.inference_mode = False
    try:
        model: PeftModel = get_peft_model(network, config)
    except ValueError as error:
        raise SettingsError(
            f"Recipe {recipe.name}: no adapter fits {recipe.base}: {error}",
            fix="Name other lora_targets.",
        ) from error
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
        if parameter.requires_grad and "score" in name:
            _small_(parameter)
    if device.type == "cuda":
        # A long batch's activations would not fit beside a large base.
        network.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def _small_(weight: torch.Tensor) -> None:
    """Weights so small that rewards start near 0 whatever the size of the final states."""
    nn.init.normal_(weight, std=0.1 / weight.shape[-1])


def _small(head: nn.Linear) -> nn.Linear:
    _small_(head.weight)
    return head
