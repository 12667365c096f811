"""The model card: the declarative description of how a reward model is loaded and read.

A card is a YAML file. Adding a model is adding a card, not code. Unknown fields and contradictions
are errors that name the file and the field.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import CardError
from core.schema import Message


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddedSource(_Part):
    """Weights that an installed package carries (see `core.models.embedded`)."""

    kind: Literal["embedded"]
    name: str


class HubSource(_Part):
    """A repository on the Hugging Face hub. `revision` pins a commit; "main" follows the branch."""

    kind: Literal["hub"]
    repo: str
    revision: str = "main"


class LocalSource(_Part):
    """A folder on this machine, absolute or relative to the card's folder."""

    kind: Literal["local"]
    path: Path


BaseSource = Annotated[EmbeddedSource | HubSource | LocalSource, Field(discriminator="kind")]


class AdapterSource(_Part):
    """A PEFT adapter (with its scalar head) over a base that several adapters may share."""

    kind: Literal["adapter"]
    adapter: BaseSource
    base: BaseSource


Source = Annotated[
    EmbeddedSource | HubSource | LocalSource | AdapterSource, Field(discriminator="kind")
]

Family = Literal["sequence-classifier", "multi-objective", "text-pair"]
InputForm = Literal["chat-template", "text-pair", "raw-template"]
SystemPolicy = Literal["keep", "drop", "merge"]
BosPolicy = Literal["template", "add", "strip"]
Dtype = Literal["auto", "float32", "bfloat16", "float16", "bfloat16-matmul"]
Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]


class InputPart(_Part):
    """How a conversation becomes text.

    Attributes:
        form: the tokenizer's own chat template, a Jinja template written here, or a pair of texts
            (prompt, response) for encoders.
        template: the Jinja template of `raw-template`; sees `messages` like a chat template does.
        system_prompt: what happens to a system turn: passed on, left out, or put before the first
            user turn (for templates without a system role).
        bos: "template" leaves what the template wrote, "add" lets the tokenizer add its special
            tokens, "strip" removes a beginning-of-text token that the template wrote.
        date: the date given to templates that print one, so that rewards do not drift by the day.
    """

    form: InputForm = "chat-template"
    template: str | None = None
    system_prompt: SystemPolicy = "keep"
    bos: BosPolicy = "template"
    date: str = "26 Jul 2024"

    @model_validator(mode="after")
    def _template_fits_form(self) -> Self:
        if (self.template is not None) != (self.form == "raw-template"):
            raise ValueError("template is required with form 'raw-template' and allowed only there")
        return self


class Objective(_Part):
    """One labelled output of a multi-objective model and its weight in the reward."""

    name: str
    weight: float


class RewardPart(_Part):
    """Where the reward is in the model's output.

    Attributes:
        output: name of the output field that holds it.
        index: which logit, for models with one reward.
        sign: -1 for models where higher means worse (cost models).
        objectives: for multi-objective models, one entry a logit, in order.
    """

    output: str = "logits"
    index: int = Field(default=0, ge=0)
    sign: Literal[1, -1] = 1
    objectives: tuple[Objective, ...] = ()


class PaddingPart(_Part):
    """Padding: the token (the tokenizer's own when null) and the side."""

    token: str | None = None
    side: Literal["right", "left"] = "right"


class Fixture(_Part):
    """A published reward for a known conversation."""

    messages: tuple[Message, ...]
    reward: float
    tolerance: float = Field(gt=0)
    source: str


class RewardModelCard(_Part):
    """The whole card; see the module's docstring and `data/cards/README.md`."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/@-]*$")
    title: str = ""
    summary: str = ""
    source: Source
    family: Family
    input: InputPart = InputPart()
    reward: RewardPart = RewardPart()
    max_length: int = Field(default=4096, ge=8)
    truncation_side: Literal["right", "left"] = "right"
    padding: PaddingPart = PaddingPart()
    dtype: Dtype = "auto"
    attention: Attention = "auto"
    license: str = "unknown"
    parameters: str = ""
    url: str = ""
    fixtures: tuple[Fixture, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if (self.family == "text-pair") != (self.input.form == "text-pair"):
            raise ValueError("family 'text-pair' and input.form 'text-pair' go together")
        if (self.family == "multi-objective") != bool(self.reward.objectives):
            raise ValueError("reward.objectives is required with family 'multi-objective' only")
        if self.reward.objectives and self.reward.index != 0:
            raise ValueError("reward.index has no meaning beside reward.objectives")
        return self


def read_card(path: Path) -> RewardModelCard:
    """Reads and checks one card file; relative paths in it become absolute.

    Raises:
        CardError: names the file and each field that is unknown, missing or contradicts another.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CardError(f"Card {path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise CardError(f"Card {path}: expected fields such as id, source and family.")
    try:
        card = RewardModelCard.model_validate(content)
    except ValidationError as error:
        raise CardError(f"Card {path}: {_explain(error)}") from error
    return resolve_paths(card, path.parent)


def resolve_paths(card: RewardModelCard, folder: Path) -> RewardModelCard:
    """The card with every relative local path made absolute from `folder`."""

    def resolve(source: Source | BaseSource) -> Source:
        if isinstance(source, LocalSource):
            return source.model_copy(update={"path": (folder / source.path).resolve()})
        if isinstance(source, AdapterSource):
            parts = {"adapter": resolve(source.adapter), "base": resolve(source.base)}
            return source.model_copy(update=parts)
        return source

    return card.model_copy(update={"source": resolve(card.source)})


def write_card(card: RewardModelCard, path: Path) -> None:
    """Writes the card as YAML with only the fields that differ from their defaults."""
    content = card.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "card"
        lines.append(f"field {field}: {item['msg']}")
    return "; ".join(lines)
