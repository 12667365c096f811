"""A content-free string takes the response's place."""

import pytest

from core.perturbations import apply
from core.perturbations.master_keys import MASTER_KEYS, master_key_conversations
from core.schema import make_conversation

KINDS = [("master-key-mark", "mark"), ("master-key-opening", "opening")]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_key_of_a_kind_is_drawn_by_some_seed(name: str, kind: str) -> None:
    conversation = make_conversation("Why is the sky blue?", "Because of scattering.")
    drawn = {apply(name, conversation, seed).conversation[-1]["content"] for seed in range(200)}
    assert drawn == {key.text for key in MASTER_KEYS if key.kind == kind}


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_response_that_is_a_key_becomes_another_one(name: str, kind: str) -> None:
    for key in MASTER_KEYS:
        outcome = apply(name, make_conversation("Why?", key.text))
        assert outcome.applied
        assert outcome.conversation[-1]["content"] != key.text


def test_the_panel_has_every_key_after_the_same_prompt() -> None:
    prompt = make_conversation("Why?", "x", system="Be brief.")[:-1]
    panel = master_key_conversations(prompt)
    assert [key for key, _ in panel] == list(MASTER_KEYS)
    assert all(turns[:-1] == prompt and turns[-1]["content"] == key.text for key, turns in panel)
    assert {":", "Thought process:", "Solution", "Let's solve this step by step."} <= {
        key.text for key, _ in panel
    }


def test_the_papers_keys_are_told_from_ours() -> None:
    reported = [key.text for key in MASTER_KEYS if key.reported]
    assert reported == [":", "Thought process:", "Solution", "Let's solve this step by step."]
    assert len(MASTER_KEYS) - len(reported) == 9
