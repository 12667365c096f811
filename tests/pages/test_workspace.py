"""The workspace loses nothing: whatever is typed or replaced stays in the history."""

import pytest

from app_pages.common.editor import Acknowledgement, Edit
from app_pages.common.examples import EXAMPLES
from app_pages.common.workspace import Workspace


def turns(text: str) -> tuple[dict, dict]:
    return {"role": "user", "content": "Hi"}, {"role": "assistant", "content": text}


def edit(space: Workspace, text: str, *, seq: int, settled: bool = True, client: str = "a") -> Edit:
    return Edit(Acknowledgement(client, seq), space.revision, settled, turns(text), None)


def texts(space: Workspace) -> list[str]:
    return [version.messages[-1]["content"] for version in space.tree.versions]


@pytest.fixture
def space() -> Workspace:
    return Workspace.of_example(EXAMPLES[0])


def test_an_edit_is_taken_in_once(space: Workspace):
    sent = edit(space, "one", seq=1)
    assert space.absorb(sent)
    assert not space.absorb(sent)
    assert texts(space).count("one") == 1


def test_an_older_edit_does_not_overtake_a_newer_one(space: Workspace):
    space.absorb(edit(space, "newer", seq=2, settled=False))
    space.absorb(edit(space, "older", seq=1, settled=False))
    assert space.draft[-1]["content"] == "newer"


def test_numbers_of_an_editor_mounted_anew_start_over(space: Workspace):
    space.absorb(edit(space, "first", seq=50, client="a"))
    assert space.absorb(edit(space, "second", seq=1, client="b"))
    assert space.draft[-1]["content"] == "second"


def test_the_same_text_is_no_new_version(space: Workspace):
    space.absorb(edit(space, "one", seq=1))
    assert not space.absorb(edit(space, "one", seq=2))


def test_an_edit_is_the_child_of_what_was_on_screen(space: Workspace):
    space.go_back(1)
    space.absorb(edit(space, "from the first", seq=1))
    assert space.tree.current.parent == 1


def test_actions_keep_what_was_typed_but_not_settled(space: Workspace):
    space.absorb(edit(space, "unsettled", seq=1, settled=False))
    space.open_example(EXAMPLES[1])
    assert "unsettled" in texts(space)
    assert space.draft[-1]["content"] == EXAMPLES[1].edited
    assert space.tree.pinned.messages[-1]["content"] == EXAMPLES[1].response


def test_an_example_starts_a_root_of_its_own(space: Workspace):
    space.open_example(EXAMPLES[1])
    assert space.tree.pinned.parent is None
    assert len(texts(space)) == 4


def test_every_action_that_writes_text_counts_the_revision(space: Workspace):
    before = space.revision
    space.apply(turns("by a program"), "made up")
    space.go_back(1)
    space.branch(2)
    assert space.revision == before + 3


def test_pinning_does_not_touch_the_text(space: Workspace):
    before = space.revision
    space.absorb(edit(space, "mine", seq=1, settled=False))
    space.pin_current()
    assert space.tree.pinned.messages[-1]["content"] == "mine"
    assert space.revision == before


def test_incomplete_turns_stay_in_the_editor_and_make_no_version(space: Workspace):
    alone = ({"role": "user", "content": "Hello?"},)
    space.absorb(Edit(Acknowledgement("a", 1), space.revision, True, alone, None))
    assert space.draft == list(alone)
    assert space.conversation is None
    assert len(texts(space)) == 2


@pytest.mark.parametrize("raw", ["", "{", "5", "null", '"text"', "[" * 100_000, "[1]", "[{}]"])
def test_raw_text_that_is_no_conversation_is_a_problem_not_a_crash(space: Workspace, raw: str):
    space.absorb(Edit(Acknowledgement("a", 1), space.revision, True, None, raw))
    assert space.problem
    assert space.raw == raw


def test_examples_differ_from_their_baselines_and_have_distinct_titles():
    assert len({example.title for example in EXAMPLES}) == len(EXAMPLES) >= 4
    assert all(example.response != example.edited for example in EXAMPLES)
