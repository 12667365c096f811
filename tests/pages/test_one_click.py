"""One-click edits: each makes a version of its own, or says why it does not apply."""

import pytest

from app_pages.common.examples import EXAMPLES
from app_pages.common.one_click import apply_perturbation
from app_pages.common.workspace import Workspace
from core.perturbations.base import GROUPS
from core.perturbations.registry import perturbations
from tests.pages.conftest import answer, typed

NAMES = [perturbation.name for perturbation in perturbations()]


@pytest.mark.parametrize("name", NAMES)
def test_every_edit_makes_a_version_or_says_why_not(name: str):
    space = Workspace.of_example(EXAMPLES[0])
    before = space.tree.current
    apply_perturbation(space, name)
    after = space.tree.current
    assert space.notice
    if after.id != before.id:
        assert after.parent == before.id
        assert after.messages != before.messages
        assert list(after.messages) == space.draft
    else:
        assert "does not apply" in space.notice


def test_the_same_edit_again_is_another_edit():
    space = Workspace.of_example(EXAMPLES[0])
    apply_perturbation(space, "typos")
    first = space.draft[-1]["content"]
    apply_perturbation(space, "typos")
    assert space.draft[-1]["content"] != first


def test_an_edit_that_finds_nothing_to_change_leaves_the_text_and_gives_the_reason():
    space = Workspace.of_example(EXAMPLES[0])
    space.apply(answer("Hm"), "short")
    apply_perturbation(space, "reorder-items")
    assert "does not apply: " in space.notice
    assert space.draft[-1]["content"] == "Hm"


def test_an_incomplete_conversation_is_left_alone():
    space = Workspace.of_example(EXAMPLES[0])
    space.problem = "not a conversation"
    apply_perturbation(space, "typos")
    assert len(space.tree.versions) == 2


def test_the_page_shows_what_an_edit_did(playground):
    apply_perturbation(playground.session_state["workspace"], "truncate")
    playground.run()
    notice = playground.session_state["workspace"].notice
    assert notice
    assert any(text.value == notice for text in playground.text)
    typed(playground, *answer("and on"))
    assert not any(text.value == notice for text in playground.text)


def test_a_chosen_edit_is_applied_and_can_be_chosen_again(playground):
    space = playground.session_state["workspace"]
    before = space.draft[-1]["content"]
    for edits in (1, 2):
        playground.selectbox(key="edit-shortcut").select("padding").run()
        assert not playground.exception
        assert playground.selectbox(key="edit-shortcut").value is None
        labels = [version.label for version in space.tree.versions]
        assert labels.count("Pad with empty sentences") == edits
    assert space.draft[-1]["content"].startswith(before)


def test_every_edit_is_in_the_menu_of_its_group(playground):
    for group in GROUPS:
        shown = playground.selectbox(key=f"edit-{group}").options
        assert shown == [perturbation.title for perturbation in perturbations(group)]
