"""The network that is trained: a base with LoRA on its upper layers and a scalar head.

Building it, reading rewards from it, and saving and loading what was trained in PEFT's own form.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForSequenceClassification

from core.models import embedded, precision
from core.training.frozen import DividedDecoder, FrozenStates, frozen_states, pad_batch
from core.training.groups import TrainingGroup
from core.training.recipe import Recipe

Tensors = dict[str, torch.Tensor]


def base_path(name: str) -> Path:
    """Folder of a recipe's base: the embedded one (made ready if need be), or the folder named."""
    return embedded.prepare_base() if name == embedded.BASE_NAME else Path(name)


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
        self.model = _build(recipe, base, self.compute_dtype, self.device).to(self.device)
        network = self.model.get_base_model()
        self.pad_id: int = network.config.pad_token_id
        decoder = getattr(network, network.base_model_prefix)
        self.decoder = DividedDecoder(decoder, recipe.frozen_layers, self.compute_dtype)
        self._head: nn.Module = network.score

    def frozen_states(self, groups: Sequence[TrainingGroup], **options: object) -> FrozenStates:
        """States below the adapters for every text; see `core.training.frozen.frozen_states`."""
        texts = [text.ids for group in groups for text in group.texts]
        exact = self.compute_dtype == torch.float32
        self.model.eval()
        longest = torch.tensor([max(texts, key=len)], device=self.device)
        self.decoder.check(longest, tolerance=1e-3)
        return frozen_states(
            self.decoder,
            texts,
            pad_id=self.pad_id,
            device=self.device,
            state_dtype=torch.float32 if exact else torch.bfloat16,
            **options,  # type: ignore[arg-type]
        )

    def rewards(self, texts: Sequence[tuple[int, ...]], states: FrozenStates) -> torch.Tensor:
        """Rewards (n,) float32 of texts whose lower states are known, with gradient."""
        return self._read(self.decoder.upper(states.batch(texts, self.device)), texts)

    def plain_rewards(self, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Rewards (n,) float32 by an ordinary forward through all layers, with gradient."""
        return self._read(self.decoder.whole(pad_batch(texts, self.pad_id, self.device)), texts)

    def _read(self, hidden: torch.Tensor, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        last = torch.tensor([len(ids) - 1 for ids in texts], device=self.device)
        pooled = hidden[torch.arange(len(texts), device=self.device), last]
        rewards: torch.Tensor = self._head(pooled)[:, 0]
        return rewards

    def head_parameters(self) -> list[nn.Parameter]:
        """The scalar head's weights."""
        return [p for p in self._head.parameters() if p.requires_grad]

    def adapter_parameters(self) -> list[nn.Parameter]:
        """The low-rank weights, without the head."""
        head = {id(parameter) for parameter in self.head_parameters()}
        return [p for p in self.model.parameters() if p.requires_grad and id(p) not in head]

    def trained_state(self) -> Tensors:
        """Copies of all trained weights, head included, by their names in a PEFT file."""
        state = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def load_trained_state(self, state: Tensors) -> None:
        """Puts back what `trained_state` gave."""
        set_peft_model_state_dict(self.model, dict(state))


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
    network = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=compute_dtype, attn_implementation=attention
    )
    config = adapter_config(recipe, network.config.num_hidden_layers, base_name=str(base))
    config.inference_mode = False
    model: PeftModel = get_peft_model(network, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
        if parameter.requires_grad and "score" in name:
            # Small enough that rewards start near 0 whatever the size of the final states.
            nn.init.normal_(parameter, std=0.1 / parameter.shape[-1])
    return model
