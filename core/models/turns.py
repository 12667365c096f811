"""Turns as families over a language model read them: the card's template and system rule."""

from collections.abc import Sequence

from core.errors import ConversationError
from core.models.card import InputPart
from core.models.language import LanguageModel
from core.models.sampling import Tokens
from core.schema import Message


def prompt_tokens(model: LanguageModel, turns: Sequence[Message], part: InputPart) -> Tokens:
    """Tokens of the turns before a response, up to where the response begins.

    A raw template sees `messages` and `add_generation_prompt` (true).

    Raises:
        ConversationError: the template refuses the turns.
    """
    text = model.render(with_system_rule(turns, part), template=part.template)
    bos = model.tokenizer.bos_token
    if part.bos == "strip" and bos and text.startswith(bos):
        text = text.removeprefix(bos)
    tokens = model.encode(text)
    if part.bos == "add" and model.tokenizer.bos_token_id is not None:
        tokens = (model.tokenizer.bos_token_id, *tokens)
    return tokens


def with_system_rule(turns: Sequence[Message], part: InputPart) -> list[Message]:
    """The turns with system ones kept, dropped, or put before the first user turn.

    Raises:
        ConversationError: a system turn is to be merged and there is no user turn.
    """
    system = [turn for turn in turns if turn["role"] == "system"]
    if part.system_prompt == "keep" or not system:
        return list(turns)
    rest = [turn for turn in turns if turn["role"] != "system"]
    if part.system_prompt == "drop":
        return rest
    first = next((i for i, turn in enumerate(rest) if turn["role"] == "user"), None)
    if first is None:
        raise ConversationError(
            "This model takes a system prompt only as part of the first user turn, "
            "and there is no user turn.",
            fix="Add a user message.",
        )
    content = "\n\n".join(turn["content"] for turn in [*system, rest[first]])
    merged: Message = {"role": "user", "content": content}
    return [*rest[:first], merged, *rest[first + 1 :]]
