"""The operator's settings: defaults without a file, and clear words about a wrong one."""

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings, TrustedCode, load_settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's folder."""
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path))
    monkeypatch.delenv("REWARD_WORKBENCH_SETTINGS", raising=False)
    return tmp_path


def test_without_a_file_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.memory_budget_gb is None
    assert settings.cache_max_mb == 2048
    assert settings.device is None
    assert settings.trusted_names == frozenset()


def test_every_key_is_read(home: Path) -> None:
    (home / "settings.toml").write_text(
        f"""
        memory_budget_gb = 1.5
        cache_max_mb = 10
        device = "cuda:0"
        threads = 3
        card_folders = ["cards", "/srv/cards"]

        [[trusted_code]]
        model = "org/name"
        revision = "{COMMIT}"
        """
    )
    settings = load_settings()
    assert (settings.memory_budget_gb, settings.cache_max_mb) == (1.5, 10)
    assert (settings.device, settings.threads) == ("cuda:0", 3)
    assert settings.card_folders == (home / "cards", Path("/srv/cards"))
    assert settings.trusted_code == (TrustedCode(model="org/name", revision=COMMIT),)
    assert settings.trusted_names == {f"org/name@{COMMIT}"}


def test_the_variable_names_another_file(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "settings.toml").write_text("cache_max_mb = 1")
    other = tmp_path / "other.toml"
    other.write_text("cache_max_mb = 2")
    monkeypatch.setenv("REWARD_WORKBENCH_SETTINGS", str(other))
    assert load_settings().cache_max_mb == 2
    other.unlink()
    with pytest.raises(SettingsError, match=r"other\.toml: there is no such file"):
        load_settings()


def test_auto_means_the_default_device(home: Path) -> None:
    (home / "settings.toml").write_text('device = "auto"')
    assert load_settings().device is None


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("memory_budget = 3", "unknown key memory_budget (known: memory_budget_gb, "),
        ("cache_max_mb = 0", "key cache_max_mb: "),
        ("memory_budget_gb = -1", "key memory_budget_gb: "),
        ('threads = "many"', "key threads: "),
        (
            '[[trusted_code]]\nmodel = "o/m"\nrevision = "main"',
            "key trusted_code.0.revision: expected a full commit hash",
        ),
        ('[[trusted_code]]\nmodel = "o/m"', "key trusted_code.0.revision: expected a full"),
        (
            f'[[trusted_code]]\nmodel = "o/m"\nrevision = "{COMMIT}"\nsure = true',
            "unknown key trusted_code.0.sure (known: model, revision)",
        ),
        ("cache_max_mb =", "cannot be read as TOML"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(home: Path, text: str, explanation: str) -> None:
    path = home / "settings.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(path) in str(caught.value)
    assert explanation in str(caught.value)


def test_endpoints_are_read_and_their_address_cleaned(home: Path) -> None:
    (home / "settings.toml").write_text(
        """
        [[endpoints]]
        name = "lab"
        url = "http://gpu-7:8000/v1/"
        api_key_env = "LAB_KEY"
        timeout_s = 5
        concurrency = 2
        batch_tokens = 100

        [[endpoints]]
        name = "other"
        url = "https://host/prefix"
        engine = "tei"
        """
    )
    settings = load_settings()
    lab = settings.endpoint("lab")
    assert lab is not None
    assert (lab.url, lab.engine, lab.api_key_env) == ("http://gpu-7:8000", "auto", "LAB_KEY")
    assert (lab.timeout_s, lab.concurrency, lab.batch_tokens) == (5.0, 2, 100)
    other = settings.endpoint("other")
    assert other is not None
    assert (other.url, other.engine) == ("https://host/prefix", "tei")
    assert settings.endpoint("third") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "ftp://host"', "endpoints.0.url: expected an address"),
        ('url = "http://user:hunter2@host"', "api_key_env"),
        ('url = "http://host?key=hunter2"', "api_key_env"),
        ('url = "http://host:hunter2"', "expected an address"),
        ('url = "http://h"\nport = 3', "unknown key endpoints.0.port (known: name, url"),
        ('url = "http://h"\nengine = "magic"', "endpoints.0.engine"),
        ('url = "http://h"\nconcurrency = 0', "endpoints.0.concurrency"),
    ],
)
def test_a_wrong_endpoint_is_named_and_no_secret_repeated(home: Path, line: str, said: str) -> None:
    (home / "settings.toml").write_text(f'[[endpoints]]\nname = "lab"\n{line}\n')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


def test_two_endpoints_of_one_name_are_refused(home: Path) -> None:
    block = '[[endpoints]]\nname = "lab"\nurl = "http://h"\n'
    (home / "settings.toml").write_text(block * 2)
    with pytest.raises(SettingsError, match="the name lab is used more than once"):
        load_settings()
