"""From a conversation to what is sent: rendered here where the card names a tokenizer or template.

Rendering and counting here is what makes silent truncation and a doubled beginning-of-text token
visible: the server's own count is held against ours.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import ConversationError, ModelLoadError
from core.models.card import BaseSource, EmbeddedSource, HubSource, RewardModelCard
from core.models.remote.protocol import Sent
from core.schema import Conversation, Message, parse_conversation, split_conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "config.json", "*.jinja", "vocab*")


class Renderer:
    """Turns conversations into what is sent, the way the card says.

    Args:
        card: its input form, length and truncation side.
        tokenizer: the model's own, or None: then the server renders and counts.
    """

    def __init__(self, card: RewardModelCard, tokenizer: "PreTrainedTokenizerFast | None") -> None:
        self.card = card
        self.tokenizer = tokenizer
        # A fast tokenizer must not be asked from two threads at once.
        self._lock = threading.Lock()

    def render(self, conversation: Conversation) -> Sent:
        """What is sent of a conversation.

        Raises:
            ConversationError: when it is not one, or the template refuses it.
        """
        messages = system_policy(parse_conversation(conversation), self.card)
        for message in messages:
            _check_unicode(message["content"])
        prompt, response = _two_texts(messages)
        if self.card.input.form == "text-pair":
            return self._pair(messages, prompt, response)
        text = self._text(messages)
        add = self.card.input.bos == "add"
        if text is None or self.tokenizer is None:
            return Sent(messages, prompt, response, text=text, add_special_tokens=add)
        with self._lock:
            ids = list(self.tokenizer(text, add_special_tokens=add, verbose=False)["input_ids"])
        if not ids:
            raise ConversationError("The conversation renders to no tokens at all.")
        kept = self._cut(ids)
        return Sent(
            messages, prompt, response, text, tuple(kept), len(kept), len(ids) - len(kept), add
        )

    def key(self) -> str:
        """Hash of everything between a conversation and what is sent."""
        own = self.card.input.form == "chat-template" and self.tokenizer is not None
        parts = [
            self.card.input.model_dump(mode="json"),
            self.tokenizer.chat_template if own and self.tokenizer is not None else None,
            self.card.max_length,
            self.card.truncation_side,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def _pair(self, messages: tuple[Message, ...], prompt: str, response: str) -> Sent:
        if self.tokenizer is None:
            return Sent(messages, prompt, response)
        with self._lock:
            count = len(self.tokenizer(prompt, response, verbose=False)["input_ids"])
        read = min(count, self.card.max_length)
        return Sent(messages, prompt, response, n_tokens=read, n_cut=count - read)

    def _cut(self, ids: list[int]) -> list[int]:
        excess = len(ids) - self.card.max_length
        if excess <= 0:
            return ids
        return ids[excess:] if self.card.truncation_side == "left" else ids[:-excess]

    def _text(self, messages: Sequence[Message]) -> str | None:
        card = self.card
        if self.tokenizer is None and card.input.template is None:
            return None
        content = [dict(message) for message in messages]
        try:
            if self.tokenizer is not None:
                text = str(
                    self.tokenizer.apply_chat_template(
                        content,
                        chat_template=card.input.template,
                        tokenize=False,
                        add_generation_prompt=False,
                        date_string=card.input.date,
                    )
                )
            else:
                text = _render(str(card.input.template), content, card.input.date)
        except TemplateError as error:
            raise ConversationError(
                f"The template of {card.id} refuses this conversation: {error}",
                fix="Many templates want user and assistant turns to alternate, and some take no "
                "system turn.",
            ) from error
        bos = self.tokenizer.bos_token if self.tokenizer is not None else None
        if bos and card.input.bos != "template" and text.startswith(bos):
            return text.removeprefix(str(bos))
        return text


def system_policy(messages: Sequence[Message], card: RewardModelCard) -> tuple[Message, ...]:
    """The turns after the card's policy for system prompts.

    Raises:
        ConversationError: when a system prompt should join a user turn and there is none.
    """
    system = [message for message in messages if message["role"] == "system"]
    if card.input.system_prompt == "keep" or not system:
        return tuple(messages)
    rest = [message for message in messages if message["role"] != "system"]
    if card.input.system_prompt == "drop":
        return tuple(rest)
    first = next((i for i, message in enumerate(rest) if message["role"] == "user"), None)
    if first is None:
        raise ConversationError(
            "This model takes a system prompt only as part of the first user turn, "
            "and there is no user turn."
        )
    texts = [message["content"] for message in (*system, rest[first])]
    merged: Message = {"role": "user", "content": "\n\n".join(texts)}
    return (*rest[:first], merged, *rest[first + 1 :])


def load_tokenizer_of(card: RewardModelCard) -> "PreTrainedTokenizerFast | None":
    """The tokenizer that the card names; only its files are fetched, no weights.

    Raises:
        ModelLoadError: when it cannot be had or read.
    """
    source = card.remote.tokenizer if card.remote is not None else None
    if source is None:
        return None
    from core.models.loading import load_tokenizer

    return load_tokenizer(_folder(source), card)


def _folder(source: BaseSource) -> Path:
    if isinstance(source, EmbeddedSource):
        from core.models import weights

        return weights.fetch(source)
    if not isinstance(source, HubSource):
        if not source.path.is_dir():
            raise ModelLoadError(f"There is no folder {source.path}.")
        return source.path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        folder = snapshot_download(
            source.repo, revision=source.revision, allow_patterns=list(TOKENIZER_FILES)
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelLoadError(
            f"The tokenizer of {source.repo} (revision {source.revision}) cannot be had: {error}",
            fix="Check the network, or name a folder with the tokenizer in remote.tokenizer.",
        ) from error
    return Path(folder)


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConversationError(
            f"The text is not valid Unicode at character {error.start}: half of a pair of "
            "surrogates, which no server takes."
        ) from error


def _two_texts(messages: Sequence[Message]) -> tuple[str, str]:
    """Prompt and response; a prompt of several turns is flattened with the roles' names."""
    prompt, response = split_conversation(list(messages))
    if len(prompt) == 1:
        return prompt[0]["content"], response
    turns = [f"{message['role'].capitalize()}: {message['content']}" for message in prompt]
    return "\n\n".join(turns), response


def _render(template: str, messages: Sequence[Mapping[str, Any]], date: str) -> str:
    """A template rendered as tokenizers render theirs, in a sandbox; it knows no special token."""

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    return environment.from_string(template).render(
        messages=messages,
        bos_token="",
        eos_token="",
        add_generation_prompt=False,
        date_string=date,
    )
