"""The policy's alphabet: one token a character, and one for each tag of a tool call.

A tag's token reads as the whole text that agents write (`<tool_call>{"name": ...`), so that a
recorded trajectory has the form that real ones have, though the policy spends one token on it.
"""

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
CALL = '<tool_call>{"name": "python", "arguments": {"code": "'
END_CALL = '"}}</tool_call>'
RESPONSE = "<tool_response>"
END_RESPONSE = "</tool_response>"
ANSWER = "<answer>\\boxed{"
END_ANSWER = "}</answer>"
TAGS = (CALL, END_CALL, RESPONSE, END_RESPONSE, ANSWER, END_ANSWER)
SORT, NAME = "sort ", "name "
ERRORS = tuple(
    f"{name}: error"
    for name in ("SyntaxError", "NameError", "TypeError", "ZeroDivisionError", "Timeout", "Other")
)
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz+-*/%().=,"

TOKENS = (PAD, BOS, EOS, *TAGS, SORT, NAME, *ERRORS, *CHARACTERS)
IDS = {token: number for number, token in enumerate(TOKENS)}
PAD_ID, BOS_ID, EOS_ID = (IDS[token] for token in (PAD, BOS, EOS))
END_CALL_ID = IDS[END_CALL]

_LONG = tuple(token for token in TOKENS if len(token) > 1)


def encode(text: str) -> list[int]:
    """Ids of a text; words and tags of the alphabet are one token each.

    Raises:
        KeyError: for a character that is not in the alphabet.
    """
    ids, at = [], 0
    while at < len(text):
        token = next((word for word in _LONG if text.startswith(word, at)), text[at])
        ids.append(IDS[token])
        at += len(token)
    return ids


def decode(ids: Iterable[int]) -> str:
    """The text of ids, without padding, beginning and end."""
    return "".join(TOKENS[number] for number in ids if number > EOS_ID)


def left_padded(rows: Sequence[Sequence[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of equal length, padded on the left, and their masks (1 where a token is)."""
    width = max(len(row) for row in rows)
    ids = [[PAD_ID] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return ids, mask


def hub_tokenizer() -> PreTrainedTokenizerFast:
    """The alphabet as a tokenizer that trainers of the Hugging Face family take."""
    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="left",
    )
