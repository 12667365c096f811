"""A visitor counts as the person at the machine only where nobody else can be asking."""

from pathlib import Path

import pytest

from app_pages.common import hosting


class _Streamlit:
    """Address of the server and headers of the visitor, in Streamlit's place."""

    def __init__(self, address: str | None, headers: dict[str, str]) -> None:
        self.get_option = lambda _: address
        self.context = type("Context", (), {"headers": headers})()


@pytest.mark.parametrize(
    ("address", "headers", "local"),
    [
        ("127.0.0.1", {"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ("localhost", {"Host": "127.0.0.1:8501"}, True),
        ("::1", {"Host": "[::1]:8501"}, True),
        ("127.0.0.1", {}, True),
        (None, {"Host": "localhost:8501"}, False),
        ("0.0.0.0", {"Host": "localhost:8501"}, False),
        ("127.0.0.1", {"Host": "rewards.example.org"}, False),
        ("127.0.0.1", {"Host": "127.0.0.1", "Origin": "https://rewards.example.org"}, False),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "10.0.0.7"}, False),
        ("127.0.0.1", {"Host": "[broken"}, False),
    ],
)
def test_local_is_loopback_asked_by_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch, address: str | None, headers: dict[str, str], local: bool
):
    monkeypatch.setattr(hosting, "st", _Streamlit(address, headers))
    assert hosting.is_local() is local


def test_folders_are_the_operators_else_the_home_of_the_person_at_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(hosting, "is_local", lambda: True)
    assert hosting.data_roots() == (Path.home(),)
    monkeypatch.setattr(hosting, "is_local", lambda: False)
    assert hosting.data_roots() == ()
    (tmp_path / "settings.toml").write_text('data_folders = ["sets", "/srv/rm"]')
    assert hosting.data_roots() == (tmp_path / "sets", Path("/srv/rm"))
    (tmp_path / "settings.toml").write_text("data_folders = []")
    monkeypatch.setattr(hosting, "is_local", lambda: True)
    assert hosting.data_roots() == ()
