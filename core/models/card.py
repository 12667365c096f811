"""The model card: the declarative description of how a reward model is loaded and read.

A card is a YAML file. Adding a model is adding a card, not code. Unknown fields and contradictions
are errors that name the file and the field.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

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


class RemoteSource(_Part):
    """A model behind a server. Its address is in the operator's settings and never in a card.

    Attributes:
        endpoint: name of the server in the operator's settings (`[[endpoints]]`).
        model: the name the server knows the model by; "" for a server with one model.
    """

    kind: Literal["remote"]
    endpoint: str
    model: str = ""


Source = Annotated[
    EmbeddedSource | HubSource | LocalSource | AdapterSource | RemoteSource,
    Field(discriminator="kind"),
]

Family = Literal[
    "sequence-classifier", "multi-objective", "text-pair", "judge", "implicit", "process", "rubric"
]
JudgeFormat = Literal[
    "rm-r1", "rrm", "deepseek-grm", "j1-pair", "j1-pair-scores", "j1-pair-both", "j1-score",
    "rubric-pair", "rubric-score",
]  # fmt: skip
Importance = Literal["essential", "important", "optional", "pitfall"]
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


class JudgePart(_Part):
    """How a language model judges.

    Attributes:
        format: what it is asked to write, and how its verdict is read.
        verdict: read from the text it writes, or from the log-probabilities of the verdict tokens.
        rubric: what is asked of a response, for the rubric formats.
        instruction: wording put in place of the format's own, such as the very text a checkpoint
            was trained with.
        samples: judgements of each item.
        temperature: they are drawn at; 0 takes the likeliest token each time.
        top_p: nucleus they are drawn from.
        max_new_tokens: a judgement is cut there.
        both_orders: ask about each pair in both orders.
        seed: of all draws.
    """

    format: JudgeFormat
    verdict: Literal["text", "log-probability"] = "text"
    rubric: str = ""
    instruction: str = ""
    samples: int = Field(default=1, ge=1, le=256)
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_new_tokens: int = Field(default=512, ge=1)
    both_orders: bool = True
    seed: int = 0


class ImplicitPart(_Part):
    """A policy's own reward: beta times its log-probability minus that of a reference model.

    Attributes:
        reference: the model the policy was trained from.
        beta: of the DPO objective.
        length: "sum" over the response's tokens, or "mean" over them.
    """

    reference: BaseSource
    beta: float = Field(default=0.1, gt=0)
    length: Literal["sum", "mean"] = "sum"


class ProcessPart(_Part):
    """How a process reward model scores steps, and what becomes of the scores.

    Attributes:
        form: "step-tag": a language model whose next token after a tag is good or bad;
            "two-class": a token classifier read at the tag, good being the second class.
        layout: "inline": the response with a tag after each step; "turns" ("step-tag" only): each
            step is a user's turn, answered by the good or the bad token.
        separator: what divides a response into steps.
        tag: put after each step and read at its last token; may be "" in turns.
        after: put after the tag, before the next step.
        good: token of a good step ("step-tag").
        bad: token of a bad step ("step-tag").
        aggregate: how step scores become one reward.
    """

    form: Literal["step-tag", "two-class"]
    layout: Literal["inline", "turns"] = "inline"
    separator: str = "\n\n"
    tag: str
    after: str = ""
    good: str = "+"
    bad: str = "-"
    aggregate: Literal["min", "product", "last", "mean"] = "min"

    @model_validator(mode="after")
    def _tag_fits_layout(self) -> Self:
        if self.layout == "inline" and not self.tag:
            raise ValueError("tag is required with layout 'inline'")
        if self.layout == "turns" and self.form != "step-tag":
            raise ValueError("layout 'turns' goes with form 'step-tag'")
        return self


class Criterion(_Part):
    """One thing asked of a response; a pitfall is something that must not be there."""

    name: str
    text: str
    importance: Importance = "important"
    weight: float = Field(default=1.0, gt=0)


class RubricPart(_Part):
    """Criteria, and how they become one reward (Rubrics as Rewards, arXiv 2507.17746).

    Attributes:
        criteria: at least one, each of another name.
        aggregate: "explicit": the weighted share of criteria met; "implicit": the judge is shown
            all of them and gives one score.
        met: how far a criterion is met: the "probability" of Yes, or a plain "yes-no".
        pitfalls: weights of pitfalls that are there are taken off ("penalty"), or pitfalls that
            are not there count as met ("credit").
    """

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    aggregate: Literal["explicit", "implicit"] = "explicit"
    met: Literal["probability", "yes-no"] = "probability"
    pitfalls: Literal["penalty", "credit"] = "penalty"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({criterion.name for criterion in self.criteria}) < len(self.criteria):
            raise ValueError("two criteria have the same name")
        return self


class RemotePart(_Part):
    """How a server is asked.

    Attributes:
        route: where rewards come from; "auto" takes what the engine is known for.
        label: name of the class whose value is the reward, where there are several.
        activated: whether the values went through an activation: "no" asks for raw values and the
            conformance check holds the server to it; "sigmoid" undoes one that cannot be avoided.
        tokenizer: the model's tokenizer and chat template, to render and count tokens here.
    """

    route: Literal[
        "auto", "classify", "pooling", "score", "predict", "rerank", "reward", "chat"
    ] = "auto"
    label: str = ""
    activated: Literal["no", "sigmoid"] = "no"
    tokenizer: BaseSource | None = None

    @field_validator("activated", mode="before")
    @classmethod
    def _yaml_no(cls, value: object) -> object:
        # YAML reads a bare no as false.
        return "no" if value is False else value


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
    judge: JudgePart | None = None
    implicit: ImplicitPart | None = None
    process: ProcessPart | None = None
    rubric: RubricPart | None = None
    remote: RemotePart | None = None
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
        for family in ("judge", "implicit", "process", "rubric"):
            if (self.family == family) != (getattr(self, family) is not None):
                raise ValueError(f"family {family!r} and the part {family!r} go together")
        if (self.remote is not None) != isinstance(self.source, RemoteSource):
            raise ValueError("the part 'remote' is required with a remote source and only there")
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

    parts: dict[str, object] = {"source": resolve(card.source)}
    if card.implicit is not None:
        reference = resolve(card.implicit.reference)
        parts["implicit"] = card.implicit.model_copy(update={"reference": reference})
    if card.remote is not None and card.remote.tokenizer is not None:
        tokenizer = resolve(card.remote.tokenizer)
        parts["remote"] = card.remote.model_copy(update={"tokenizer": tokenizer})
    return card.model_copy(update=parts)


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
