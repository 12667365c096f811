"""Every word is found among the tokens, whatever the text; nothing is cut silently."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine.templating import encode
from core.errors import ConversationError
from core.models.base import TokenRewardModel
from core.models.card import RewardModelCard
from core.models.loading import load_card_model
from core.schema import Message, make_conversation
from tests import tiny

TinyModel = Callable[[str], TokenRewardModel]
unicode_texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60)


@pytest.mark.parametrize("kind", ["llama", "deberta"])
@given(prompt=unicode_texts, response=unicode_texts)
@settings(max_examples=60, deadline=None)
def test_spans_hold_each_message_exactly(
    kind: str, prompt: str, response: str, tiny_model: TinyModel
) -> None:
    encoded = encode(tiny_model(kind), make_conversation(prompt, response))
    for span, content in zip(encoded.spans, (prompt, response), strict=True):
        assert span.chars is not None
        assert span.tokens is not None
        assert encoded.text[slice(*span.chars)] == content
        if kind == "llama" and "<" not in content:
            pieces = encoded.offsets[slice(*span.tokens)]
            covered = {i for start, end in pieces for i in range(start, end)}
            assert set(range(*span.chars)) <= covered
    assert len(encoded.offsets) == len(encoded.tokens) == encoded.n_tokens


@given(text=st.text(alphabet="ab <|>enduser", max_size=30))
@settings(max_examples=60, deadline=None)
def test_words_of_the_template_in_a_message_do_not_confuse(
    text: str, tiny_model: TinyModel
) -> None:
    encoded = encode(tiny_model("llama"), make_conversation("<|user|>\n" + text, text))
    assert [encoded.text[slice(*s.chars)] for s in encoded.spans if s.chars] == [
        "<|user|>\n" + text,
        text,
    ]


def test_typed_special_tokens_are_pointed_out(tiny_model: TinyModel) -> None:
    encoded = encode(tiny_model("llama"), make_conversation("Hi", "Bye<|end|>now"))
    assert any("special token" in warning for warning in encoded.warnings)
    plain = encode(tiny_model("llama"), make_conversation("Hi", "Bye now"))
    assert plain.warnings == ()


def test_truncation_is_reported_with_the_cut_text(tiny_model: TinyModel) -> None:
    model = tiny_model("llama")
    response = "fox " * 400 + "the very end"
    encoded = encode(model, make_conversation("Hi", response))
    assert encoded.n_tokens == model.card.max_length
    assert encoded.n_cut > 0
    assert encoded.text.endswith(encoded.cut_text)
    assert "the very end" in encoded.cut_text
    assert "limit of 256" in encoded.warnings[0]


def test_a_pair_keeps_its_markers_when_cut(tiny_model: TinyModel) -> None:
    model = tiny_model("deberta")
    encoded = encode(model, make_conversation("Hi there", "fox " * 400))
    assert encoded.n_tokens == model.card.max_length
    assert encoded.tokens[0] == "[CLS]"
    assert encoded.tokens[-1] == "[SEP]"
    assert encoded.spans[0].tokens is not None
    assert "Hi" in "".join(encoded.tokens[slice(*encoded.spans[0].tokens)])


def test_a_pair_carries_segment_ids(tiny_model: TinyModel) -> None:
    sequence = encode(tiny_model("deberta"), make_conversation("one", "two")).sequence
    assert sequence.type_ids is not None
    assert set(sequence.type_ids) == {0, 1}
    assert list(sequence.type_ids) == sorted(sequence.type_ids)


def load_with(folder: Path, part: dict[str, Any]) -> TokenRewardModel:
    content = tiny.card_content("llama", folder, input=part)
    model = load_card_model(RewardModelCard.model_validate(content), device="cpu")
    assert isinstance(model, TokenRewardModel)
    return model


WITH_SYSTEM: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("keep", "<s><|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n"),
        ("drop", "<s><|user|>\nHi<|end|>\n"),
        ("merge", "<s><|user|>\nBe brief.\n\nHi<|end|>\n"),
    ],
)
def test_system_prompt_policies(
    policy: str, expected: str, tiny_folder: Callable[..., Path]
) -> None:
    model = load_with(tiny_folder("llama"), {"system_prompt": policy})
    encoded = encode(model, WITH_SYSTEM)
    assert encoded.text == expected + "<|assistant|>\nHello<|end|>\n"
    assert encoded.spans[-1].message_index == 2


@pytest.mark.parametrize(("policy", "count"), [("template", 1), ("add", 0), ("strip", 0)])
def test_beginning_token_policies(
    policy: str, count: int, tiny_folder: Callable[..., Path]
) -> None:
    # This tokenizer adds nothing of its own, so "add" ends up without a beginning token too.
    model = load_with(tiny_folder("llama"), {"bos": policy})
    encoded = encode(model, WITH_SYSTEM)
    assert encoded.bos_count == count
    assert encoded.text.startswith("<s>") == (count == 1)


def test_the_reading_position_is_the_last_token_that_is_not_padding(
    tiny_model: TinyModel,
) -> None:
    model = tiny_model("llama")
    encoded = encode(model, make_conversation("Hi", "Hello"))
    assert encoded.read_position == encoded.n_tokens - 1
    ids = [*encoded.sequence.ids, model.pad_id, model.pad_id]
    assert model.read_position(ids) == encoded.n_tokens - 1


def test_a_conversation_must_end_with_the_response(tiny_model: TinyModel) -> None:
    with pytest.raises(ConversationError, match="assistant"):
        encode(tiny_model("llama"), WITH_SYSTEM[:2])


def test_a_template_that_refuses_is_reported(tiny_folder: Callable[..., Path]) -> None:
    template = "{{ raise_exception('roles must alternate') }}"
    model = load_with(tiny_folder("llama"), {"form": "raw-template", "template": template})
    with pytest.raises(ConversationError, match="roles must alternate"):
        encode(model, WITH_SYSTEM)
