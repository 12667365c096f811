"""From a conversation to what the model really reads: text, tokens, and where each word went."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateError

from core.errors import ConversationError
from core.models.base import TokenRewardModel, TokenSequence
from core.models.card import RewardModelCard
from core.schema import Conversation, Message, parse_conversation, split_conversation


@dataclass(frozen=True)
class TurnSpan:
    """Where one message's content is.

    Attributes:
        message_index: position in the conversation as the user wrote it.
        chars: character range in the rendered text, or None where the template changed the content
            so much that it cannot be found.
        tokens: token range, clipped to what truncation left; None where `chars` is None.
    """

    role: str
    message_index: int
    chars: tuple[int, int] | None
    tokens: tuple[int, int] | None


@dataclass(frozen=True)
class EncodedConversation:
    """What the model reads.

    Attributes:
        sequence: the token ids, after truncation.
        text: the rendered text, before truncation; of a text pair, both texts with a line between.
        offsets: character range in `text` of each token; (0, 0) for tokens without text.
        tokens: a readable piece for each token.
        special: which tokens are special (markers, not text).
        spans: where each message's content is.
        read_position: index of the token the reward is read from.
        n_cut: number of tokens that truncation removed.
        cut_text: the text it removed.
        bos_count: number of beginning-of-text tokens at the start.
        warnings: what a reader of the reward should know.
    """

    sequence: TokenSequence
    text: str
    offsets: tuple[tuple[int, int], ...]
    tokens: tuple[str, ...]
    special: tuple[bool, ...]
    spans: tuple[TurnSpan, ...]
    read_position: int
    n_cut: int
    cut_text: str
    bos_count: int
    warnings: tuple[str, ...]

    @property
    def n_tokens(self) -> int:
        """Number of tokens the model reads."""
        return len(self.sequence)

    def tokens_of(self, start: int, end: int) -> tuple[int, int]:
        """The range of tokens that hold any of the characters from `start` to `end` of `text`."""
        return _token_range(self.offsets, start, end)

    def response_span(self) -> TurnSpan:
        """The last assistant turn's span."""
        return self.spans[-1]


def encode(model: TokenRewardModel, conversation: Conversation) -> EncodedConversation:
    """Turns a conversation into the model's tokens, once.

    Raises:
        ConversationError: when it is not a conversation, or the model's template refuses it.
    """
    card = model.card
    messages = parse_conversation(conversation)
    if card.input.form == "text-pair":
        rendered = _render_pair(messages)
    else:
        rendered = _render_template(model, _apply_system_policy(messages, card))
    return _tokenize(model, rendered)


def template_hash(model: TokenRewardModel) -> str:
    """Hash of everything between a conversation and its tokens but the tokenizer's vocabulary."""
    parts = [
        model.card.input.model_dump(mode="json"),
        model.tokenizer.chat_template if model.card.input.form == "chat-template" else None,
        model.card.max_length,
        model.card.truncation_side,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Rendered:
    text: str
    chars: tuple[tuple[int, int] | None, ...]
    indices: tuple[int, ...]
    roles: tuple[str, ...]
    pair: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Turn:
    message: Message
    index: int


def _apply_system_policy(messages: Sequence[Message], card: RewardModelCard) -> list[_Turn]:
    turns = [_Turn(message, index) for index, message in enumerate(messages)]
    system = [turn for turn in turns if turn.message["role"] == "system"]
    if card.input.system_prompt == "keep" or not system:
        return turns
    rest = [turn for turn in turns if turn.message["role"] != "system"]
    if card.input.system_prompt == "drop":
        return rest
    first = next((i for i, turn in enumerate(rest) if turn.message["role"] == "user"), None)
    if first is None:
        raise ConversationError(
            "This model takes a system prompt only as part of the first user turn, "
            "and there is no user turn."
        )
    texts = [turn.message["content"] for turn in [*system, rest[first]]]
    merged: Message = {"role": "user", "content": "\n\n".join(texts)}
    return [*rest[:first], _Turn(merged, rest[first].index), *rest[first + 1 :]]


def _render_template(model: TokenRewardModel, turns: Sequence[_Turn]) -> _Rendered:
    messages = [dict(turn.message) for turn in turns]
    text = _apply_template(model, messages)
    chars = _locate(model, messages, text)
    if model.card.input.bos != "template":
        text, chars = _without_bos(model, text, chars)
    return _Rendered(
        text,
        chars,
        tuple(turn.index for turn in turns),
        tuple(turn.message["role"] for turn in turns),
    )


def _apply_template(model: TokenRewardModel, messages: list[dict[str, Any]]) -> str:
    card = model.card
    try:
        text = model.tokenizer.apply_chat_template(
            messages,
            chat_template=card.input.template,
            tokenize=False,
            add_generation_prompt=False,
            date_string=card.input.date,
        )
    except TemplateError as error:
        raise ConversationError(
            f"The template of {card.id} refuses this conversation: {error}",
            fix="Many templates want user and assistant turns to alternate, and some take no "
            "system turn.",
        ) from error
    return str(text)


def _locate(
    model: TokenRewardModel, messages: list[dict[str, Any]], text: str
) -> tuple[tuple[int, int] | None, ...]:
    """Character ranges of the contents in the rendered text.

    The template is rendered a second time with markers for contents: what stands between them is
    the template's own text. Where the contents, possibly trimmed, fit between, their places are
    certain even if a content repeats the template's words. Else they are searched in order.
    """
    contents = [str(message["content"]) for message in messages]
    marks = [f"\ue000{position}\ue001" for position in range(len(messages))]
    try:
        marked = _apply_template(
            model, [{**m, "content": mark} for m, mark in zip(messages, marks, strict=True)]
        )
    except ConversationError:
        return _search(contents, text)
    pieces = _split_at(marked, marks)
    if pieces is not None:
        for trim in (str, str.strip, str.lstrip, str.rstrip):
            ranges = _fit(pieces, [trim(content) for content in contents], text)
            if ranges is not None:
                return ranges
    return _search(contents, text)


def _split_at(marked: str, marks: Sequence[str]) -> list[str] | None:
    pieces, cursor = [], 0
    for mark in marks:
        place = marked.find(mark, cursor)
        if place < 0:
            return None
        pieces.append(marked[cursor:place])
        cursor = place + len(mark)
    return [*pieces, marked[cursor:]]


def _fit(
    pieces: Sequence[str], contents: Sequence[str], text: str
) -> tuple[tuple[int, int], ...] | None:
    ranges, cursor = [], 0
    for piece, content in zip(pieces, contents, strict=False):
        start = cursor + len(piece)
        cursor = start + len(content)
        ranges.append((start, cursor))
    joined = "".join(p + c for p, c in zip(pieces, contents, strict=False)) + pieces[-1]
    return tuple(ranges) if joined == text else None


def _search(contents: Sequence[str], text: str) -> tuple[tuple[int, int] | None, ...]:
    ranges: list[tuple[int, int] | None] = []
    cursor = 0
    for content in contents:
        trimmed = content.strip()
        place = text.find(trimmed, cursor) if trimmed else -1
        if place < 0:
            ranges.append(None)
        else:
            cursor = place + len(trimmed)
            ranges.append((place, cursor))
    return tuple(ranges)


def _without_bos(
    model: TokenRewardModel, text: str, chars: tuple[tuple[int, int] | None, ...]
) -> tuple[str, tuple[tuple[int, int] | None, ...]]:
    bos = model.tokenizer.bos_token
    if not bos or not text.startswith(bos):
        return text, chars
    n = len(bos)
    return text[n:], tuple(None if c is None else (c[0] - n, c[1] - n) for c in chars)


def _render_pair(messages: Sequence[Message]) -> _Rendered:
    """Prompt and response as two texts; a prompt of several turns is flattened with role names."""
    prompt, response = split_conversation(messages)
    plain = len(prompt) == 1
    first, chars = "", []
    for message in prompt:
        if not plain:
            first += ("\n\n" if first else "") + f"{message['role'].capitalize()}: "
        chars.append((len(first), len(first) + len(message["content"])))
        first += message["content"]
    start = len(first) + 1
    text = f"{first}\n{response}"
    ranges = (*chars, (start, start + len(response)))
    roles = tuple(message["role"] for message in messages)
    return _Rendered(text, ranges, tuple(range(len(messages))), roles, pair=(first, response))


def _tokenize(model: TokenRewardModel, rendered: _Rendered) -> EncodedConversation:
    card, tokenizer = model.card, model.tokenizer
    options: dict[str, Any] = {"return_offsets_mapping": True, "verbose": False}
    if rendered.pair is not None:
        raw = tokenizer(*rendered.pair, return_token_type_ids=True, **options)
        second = len(rendered.pair[0]) + 1
        sequence_ids = raw.sequence_ids(0)
        offsets = [
            (s + second, e + second) if part == 1 else (s, e)
            for (s, e), part in zip(raw["offset_mapping"], sequence_ids, strict=True)
        ]
        types = list(raw["token_type_ids"])
    else:
        add = card.input.bos == "add"
        raw = tokenizer(rendered.text, add_special_tokens=add, **options)
        offsets, types = [(s, e) for s, e in raw["offset_mapping"]], None
    ids = list(raw["input_ids"])
    if not ids:
        raise ConversationError("The conversation renders to no tokens at all.")
    keep = _kept_positions(ids, card, offsets, rendered)
    n_cut = len(ids) - len(keep)
    cut = _cut_text(rendered.text, offsets, keep) if n_cut else ""
    ids = [ids[i] for i in keep]
    offsets = [offsets[i] for i in keep]
    sequence = TokenSequence(tuple(ids), tuple(types[i] for i in keep) if types else None)
    special_ids = set(tokenizer.all_special_ids)
    encoded = EncodedConversation(
        sequence=sequence,
        text=rendered.text,
        offsets=tuple(offsets),
        tokens=tuple(_pieces(model, rendered.text, ids, offsets)),
        special=tuple(token in special_ids for token in ids),
        spans=_spans(rendered, offsets),
        read_position=model.read_position(ids),
        n_cut=n_cut,
        cut_text=cut,
        bos_count=_bos_count(ids, tokenizer.bos_token_id),
        warnings=(),
    )
    return _with_warnings(model, encoded)


def _kept_positions(
    ids: Sequence[int],
    card: RewardModelCard,
    offsets: Sequence[tuple[int, int]],
    rendered: _Rendered,
) -> list[int]:
    """Positions of the tokens that stay when the sequence is cut to the card's length."""
    count = len(ids)
    excess = count - card.max_length
    if excess <= 0:
        return list(range(count))
    if rendered.pair is None:
        if card.truncation_side == "left":
            return list(range(excess, count))
        return list(range(card.max_length))
    # A pair keeps its markers (tokens without text): the longer text loses its end, token by token.
    boundary = len(rendered.pair[0]) + 1
    has_text = [end > start for start, end in offsets]
    first = [i for i in range(count) if has_text[i] and offsets[i][0] < boundary]
    second = [i for i in range(count) if has_text[i] and offsets[i][0] >= boundary]
    for _ in range(excess):
        longer = first if len(first) > len(second) else second
        longer.pop()
    kept = set(first) | set(second)
    return [i for i in range(count) if i in kept or not has_text[i]]


def _cut_text(text: str, offsets: Sequence[tuple[int, int]], keep: Sequence[int]) -> str:
    kept = set(keep)
    gone = [offsets[i] for i in range(len(offsets)) if i not in kept]
    pieces, previous = [], -1
    for begin, end in gone:
        start = max(begin, previous)
        if end > start:
            pieces.append(text[start:end])
            previous = end
    return "".join(pieces)


def _pieces(
    model: TokenRewardModel, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]
) -> list[str]:
    names = model.tokenizer.convert_ids_to_tokens(list(ids))
    return [
        text[start:end] if end > start else str(name)
        for name, (start, end) in zip(names, offsets, strict=True)
    ]


def _spans(rendered: _Rendered, offsets: Sequence[tuple[int, int]]) -> tuple[TurnSpan, ...]:
    spans = []
    for role, index, chars in zip(rendered.roles, rendered.indices, rendered.chars, strict=True):
        tokens = None if chars is None else _token_range(offsets, *chars)
        spans.append(TurnSpan(role, index, chars, tokens))
    return tuple(spans)


def _token_range(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    inside = [i for i, (s, e) in enumerate(offsets) if e > start and s < end and e > s]
    if inside:
        return inside[0], inside[-1] + 1
    after = next((i for i, (s, e) in enumerate(offsets) if s >= start and e > s), len(offsets))
    return after, after


def _bos_count(ids: Sequence[int], bos_id: int | None) -> int:
    count = 0
    while bos_id is not None and count < len(ids) and ids[count] == bos_id:
        count += 1
    return count


def _with_warnings(model: TokenRewardModel, encoded: EncodedConversation) -> EncodedConversation:
    found = []
    if encoded.n_cut:
        found.append(
            f"{encoded.n_cut} tokens beyond this model's limit of {model.card.max_length} were cut "
            f"from the {'end' if model.card.truncation_side == 'right' else 'beginning'}."
        )
    if encoded.bos_count > 1:
        found.append(f"The text begins with {encoded.bos_count} beginning-of-text tokens.")
    if any(span.chars is None for span in encoded.spans):
        found.append("The template changed a turn so that its words cannot be located.")
    if _typed_special(encoded):
        found.append("A turn contains text that this model reads as a special token.")
    return replace(encoded, warnings=tuple(found))


def _typed_special(encoded: EncodedConversation) -> bool:
    for span in encoded.spans:
        if span.chars is None or span.tokens is None:
            continue
        start, end = span.chars
        for position in range(*span.tokens):
            s, e = encoded.offsets[position]
            if encoded.special[position] and s >= start and e <= end:
                return True
    return False
