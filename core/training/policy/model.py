"""A causal language model that is sampled from and trained: the base, its adapter, its readings."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import SettingsError
from core.models import precision
from core.models.card import Dtype
from core.models.sampling import Tokens

CHATML_PROMPT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
"""ChatML up to where the response begins, without the system prompt that SmolLM2's own template
puts in front: the reward models of the family read conversations without it."""


@dataclass(frozen=True)
class AdapterShape:
    """Which low-rank adapter is trained on the base.

    Attributes:
        rank: of the two factors.
        alpha: LoRA's scale times the rank.
        first_layer: layers below it have no adapter, so no gradient is computed there.
        targets: names of the linear maps that get one.
    """

    rank: int = 8
    alpha: float = 16.0
    first_layer: int = 10
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Reading:
    """How a policy reads responses, with gradient where it was asked for.

    Attributes:
        log_probabilities: (n,) nats, summed over a response's tokens, its end token included.
        mean_states: (n, hidden) mean of the last layer's states that predict those tokens.
    """

    log_probabilities: torch.Tensor
    mean_states: torch.Tensor


class Policy:
    """A base model with its tokenizer and, where it is to be trained, an adapter.

    Args:
        model: the causal language model, or that model under PEFT.
        tokenizer: of the model.
        prompt_template: Jinja template from `messages` to the text that the response follows.
        computing: the number format of its matrix products.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        prompt_template: str = CHATML_PROMPT,
        computing: precision.Precision | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.prompt_template = prompt_template
        self.precision = computing or precision.Precision(torch.float32)
        self.network: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.device: torch.device = next(self.network.parameters()).device
        ends = {self.network.config.eos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self.end_ids: frozenset[int] = frozenset(each for each in ends if isinstance(each, int))
        self.pad_id: int = tokenizer.pad_token_id

    def encode_prompt(self, prompt: str) -> Tokens:
        """Tokens of a prompt (one user turn) up to where the response begins."""
        messages = [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(
            messages, chat_template=self.prompt_template, tokenize=False
        )
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def text(self, response: Tokens) -> str:
        """The text of a response's tokens, without the end token and outer blanks."""
        return str(self.tokenizer.decode(response, skip_special_tokens=True)).strip()

    @contextlib.contextmanager
    def untrained(self) -> Iterator[None]:
        """Within it the policy is its base: the adapter is out of the way."""
        if isinstance(self.model, PeftModel):
            with self.model.disable_adapter():
                yield
        else:
            yield

    def adapter_parameters(self) -> list[nn.Parameter]:
        """The weights that are trained."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def adapter_state(self) -> dict[str, torch.Tensor]:
        """Copies of the adapter's weights by their PEFT names."""
        state = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def load_adapter_state(self, state: dict[str, torch.Tensor]) -> None:
        """Puts back what `adapter_state` gave."""
        set_peft_model_state_dict(self.model, dict(state))

    def read(self, prompts: Sequence[Tokens], responses: Sequence[Tokens]) -> Reading:
        """Log-probabilities and mean last states of responses, each under its prompt.

        Gradients flow unless the caller turns them off. Rows are padded on the right, where a
        causal model does not look.

        Args:
            prompts: n prompts' tokens.
            responses: n responses' tokens, each at least one.
        """
        rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.pad_id, device=self.device)
        mask = torch.zeros((len(rows), width), dtype=torch.bool, device=self.device)
        for row, (tokens, prompt) in enumerate(zip(rows, prompts, strict=True)):
            ids[row, : len(tokens)] = torch.tensor(tokens, device=self.device)
            mask[row, len(prompt) - 1 : len(tokens) - 1] = True  # states that predict the response
        with self.precision.computing(self.device):
            states = self.network.model(input_ids=ids, use_cache=False).last_hidden_state
            chosen = states[mask]
            logits = self.network.lm_head(chosen).float()
        targets = ids.roll(-1, dims=1)[mask]
        each = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
        owner = mask.nonzero()[:, 0]
        sums = torch.zeros(len(rows), device=self.device).index_add(0, owner, each)
        total = torch.zeros(len(rows), states.shape[-1], device=self.device)
        mean_states = total.index_add(0, owner, chosen.float()) / mask.sum(1, keepdim=True)
        return Reading(sums, mean_states)


def load_policy(
    base: Path,
    *,
    adapter: AdapterShape | None = None,
    seed: int = 0,
    prompt_template: str = CHATML_PROMPT,
    dtype: Dtype = "bfloat16-matmul",
    device: torch.device | None = None,
) -> Policy:
    """A policy from a folder with a causal language model.

    Args:
        base: the model's folder.
        adapter: the adapter to train, fresh (it changes nothing yet); None trains nothing.
        seed: of the adapter's first weights.
        prompt_template: see `Policy`.
        dtype: number format; `bfloat16-matmul` keeps the residual stream in float32.
        device: by default the first GPU, else the CPU.

    Raises:
        SettingsError: the adapter does not fit the base.
    """
    where = device or precision.default_device()
    computing = precision.resolve(dtype, where)
    network = AutoModelForCausalLM.from_pretrained(base, dtype=computing.weights)
    _untie(network)
    computing.prepare(network)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = network
    if adapter is not None:
        model = _with_adapter(network, adapter, seed)
    model.eval()
    return Policy(model.to(where), tokenizer, prompt_template=prompt_template, computing=computing)


def _untie(network: Any) -> None:
    """Gives the output map its own weights, so that they can have another type than the input's.

    Tied, they would have to be cast anew for every token drawn.
    """
    network.lm_head.weight = nn.Parameter(network.lm_head.weight.detach().clone())
    network.config.tie_word_embeddings = False
    network.requires_grad_(False)


def _with_adapter(network: Any, shape: AdapterShape, seed: int) -> PeftModel:
    n_layers = network.config.num_hidden_layers
    if not 0 <= shape.first_layer < n_layers:
        raise SettingsError(
            f"first_layer is {shape.first_layer}, and the base has {n_layers} layers.",
            fix="Leave at least one layer to train.",
        )
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=0.0,
        target_modules=list(shape.targets),
        layers_to_transform=list(range(shape.first_layer, n_layers)),
        layers_pattern="layers",
    )
    torch.manual_seed(seed)
    try:
        model: PeftModel = get_peft_model(network, config)
    except ValueError as error:
        raise SettingsError(
            f"No adapter fits the base: {error}", fix="Name other targets."
        ) from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model
