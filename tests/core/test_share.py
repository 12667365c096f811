"""Links bring back exactly what was shared, and never more than that."""

import base64
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ShareError
from core.share import MAX_TOKEN_LENGTH, open_link, share

states = st.dictionaries(st.text(max_size=8), st.text(max_size=400), max_size=12)


@given(state=states)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_round_trip(state: dict[str, str], tmp_path: Path) -> None:
    link = share(state, folder=tmp_path)
    assert len(link.value) <= MAX_TOKEN_LENGTH
    assert open_link(link.name, link.value, folder=tmp_path) == state


def test_long_states_go_to_a_file(tmp_path: Path) -> None:
    state = {"text": "".join(chr(33 + i * i % 90) + str(i) for i in range(3_000))}
    link = share(state, folder=tmp_path)
    assert link.name == "session"
    assert open_link("session", link.value, folder=tmp_path) == state
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize("value", ["../../etc/passwd", "", "ABCDEF012345", "0" * 13])
def test_a_session_name_is_never_a_path(value: str, tmp_path: Path) -> None:
    with pytest.raises(ShareError, match="names no session"):
        open_link("session", value, folder=tmp_path)


def test_a_session_of_another_server_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ShareError, match="not on this server"):
        open_link("session", "0123456789ab", folder=tmp_path)


@pytest.mark.parametrize("value", ["", "!!!", "abcd", "eJw"])
def test_a_damaged_link_is_explained(value: str, tmp_path: Path) -> None:
    with pytest.raises(ShareError, match=r"cut off|damaged"):
        open_link("s", value, folder=tmp_path)


def test_a_cut_link_is_explained(tmp_path: Path) -> None:
    token = share({"text": "hello " * 20}, folder=tmp_path).value
    with pytest.raises(ShareError, match="cut off"):
        open_link("s", token[:-8], folder=tmp_path)


def test_a_link_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"0" * 50_000_000)).decode()
    with pytest.raises(ShareError, match="more than can be read"):
        open_link("s", bomb, folder=tmp_path)
