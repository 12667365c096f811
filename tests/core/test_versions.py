"""The history never loses a version, and a damaged one is refused with the place named."""

import copy
import json
from typing import Any

import pytest

from core.schema import Message, make_conversation
from core.versions import VersionError, VersionTree


def talk(response: str) -> list[Message]:
    return make_conversation("Hi", response)


def grown() -> VersionTree:
    """1 -> 2 -> 3, and 4 branching off 1."""
    tree = VersionTree()
    tree.add(talk("a"), None, "start", {"m": 1.0})
    tree.add(talk("b"), 1, "edit", {"m": 2.5})
    tree.add(talk("c"), 2, "typo")
    tree.go_back(1)
    tree.add(talk("d"), 1, "edit")
    return tree


def test_every_edit_is_a_version_with_its_parent() -> None:
    tree = grown()
    assert [(v.id, v.parent) for v in tree] == [(1, None), (2, 1), (3, 2), (4, 1)]
    assert tree.current.id == 4
    assert [v.id for v in tree.children(1)] == [2, 4]
    assert [v.id for v in tree.path(3)] == [1, 2, 3]


def test_an_unchanged_text_makes_no_version() -> None:
    tree = grown()
    assert tree.add(talk("d"), 4, "edit").id == 4
    assert len(tree) == 4


def test_the_first_version_is_the_baseline_until_another_is_pinned() -> None:
    tree = grown()
    assert tree.pinned.id == 1
    tree.pin(3)
    assert tree.pinned.messages[-1]["content"] == "c"


def test_rewards_are_added_model_by_model() -> None:
    tree = grown()
    tree.set_rewards(2, {"n": -1.0})
    assert dict(tree[2].rewards) == {"m": 2.5, "n": -1.0}


def test_the_table_has_a_row_a_version_and_a_column_a_model() -> None:
    table = grown().to_frame()
    assert table["version"].tolist() == [1, 2, 3, 4]
    assert table["reward_m"].tolist()[:2] == [1.0, 2.5]
    assert table["reward_m"].isna().tolist() == [False, False, True, True]
    assert table["response"].tolist() == ["a", "b", "c", "d"]
    assert table["pinned"].tolist() == [True, False, False, False]


def test_round_trip_through_json() -> None:
    tree = grown()
    tree.pin(2)
    again = VersionTree.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again.to_dict() == tree.to_dict()
    assert again.versions == tree.versions


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("current",), 9, "current"),
        (("pinned",), "x", "pinned"),
        (("versions", 1, "parent"), 2, "parent of 2"),
        (("versions", 2, "messages"), "hello", "Version 3.*list of messages"),
        (("versions", 0, "rewards"), {"m": "high"}, "Version 1.*numbers"),
        (("versions",), [], "0 versions"),
    ],
)
def test_a_damaged_history_is_refused(path: tuple[Any, ...], value: object, message: str) -> None:
    content = copy.deepcopy(grown().to_dict())
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(VersionError, match=message):
        VersionTree.from_dict(content)


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(VersionError, match="no version 7"):
        grown().go_back(7)
