"""A conversation opened from elsewhere: on screen, its other side pinned, nothing lost."""

import pytest

from app_pages.common.workspace import Workspace
from core.errors import VersionError
from core.versions import MAX_VERSIONS
from tests.pages.conftest import answer


def test_the_pair_is_on_screen_with_its_baseline_pinned():
    space = Workspace.of_example()
    chosen, rejected = list(answer("good")), list(answer("bad"))
    space.open_pair(chosen, rejected, ("x: chosen", "x: rejected"))
    assert space.draft == rejected
    assert list(space.tree.pinned.messages) == chosen
    assert space.tree.pinned.label == "x: chosen"
    assert space.tree.current.label == "x: rejected"
    assert space.tree.current.parent == space.tree.pinned.id
    assert space.tree.pinned.parent is None
    assert space.example is None


def test_what_was_there_before_stays_in_the_history():
    space = Workspace.of_example()
    space.draft = list(answer("typed and not recorded"))
    before = [list(version.messages) for version in space.tree.versions]
    space.open_pair(list(answer("a")), list(answer("b")))
    kept = [list(version.messages) for version in space.tree.versions]
    assert kept[: len(before)] == before
    assert list(answer("typed and not recorded")) in kept


def test_without_a_baseline_the_conversation_is_its_own():
    space = Workspace.of_example()
    space.open_pair(None, list(answer("alone")))
    assert list(space.tree.pinned.messages) == list(answer("alone"))
    assert space.tree.current.id == space.tree.pinned.id
    assert space.settled


def test_the_editor_is_told_of_the_new_text():
    space = Workspace.of_example()
    revision = space.revision
    space.open_pair(list(answer("a")), list(answer("b")))
    assert space.revision == revision + 1


def test_a_full_history_refuses():
    space = Workspace.of_example()
    while len(space.tree) < MAX_VERSIONS:
        space.tree.branch(1)
    with pytest.raises(VersionError, match="limit"):
        space.open_pair(list(answer("a")), list(answer("b")))
