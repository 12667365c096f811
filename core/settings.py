"""The operator's settings: one TOML file, read when the process starts.

The file is `settings.toml` in the user's folder (`core.paths.user_folder`), or the one that the
environment variable REWARD_WORKBENCH_SETTINGS names. Everything in it is optional:

    memory_budget_gb = 12.0     # memory for loaded models; default: 60 % of RAM, or of the GPU's
    cache_max_mb = 2048         # bound on the reward cache
    device = "cuda:0"           # default: the first GPU, else the CPU
    threads = 8                 # CPU threads a forward pass may use; default: PyTorch's choice
    card_folders = ["cards"]    # more folders of model cards, relative to this file
    data_folders = ["/srv/rm"]  # folders whose files visitors may evaluate on, relative to this
                                # file; [] for none. Default: the home folder of whoever runs the
                                # workbench for themselves, none where others can reach it
    max_saved_runs = 500        # saved runs that visitors of a shared server may keep together

    [[trusted_code]]            # a repository whose own Python code may run, one block for each
    model = "org/name"
    revision = "0123456789abcdef0123456789abcdef01234567"

    [[endpoints]]               # a server that gives rewards, one block for each
    name = "lab"                # what cards call it: source {kind: remote, endpoint: lab}
    url = "http://gpu-7:8000"   # no password and no key in it
    engine = "auto"             # or vllm, sglang, tei, openrlhf, openai
    api_key_env = "LAB_KEY"     # the environment variable that holds its key, if it wants one
    timeout_s = 60.0            # how long one answer may take
    concurrency = 4             # requests under way at once
    batch_tokens = 16384        # tokens in one request, about

Addresses of servers stand here and nowhere else: no card and no page takes one.

Code from a repository never runs unless the operator names it here with a full commit hash: a
branch could change under one's feet.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import SettingsError
from core.paths import user_folder

SETTINGS_FILE = "settings.toml"
SETTINGS_VARIABLE = "REWARD_WORKBENCH_SETTINGS"


class TrustedCode(BaseModel):
    """A repository at one commit whose own Python code may run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")


EngineChoice = Literal["auto", "vllm", "sglang", "tei", "openrlhf", "openai"]


class Endpoint(BaseModel):
    """A server that gives rewards.

    Attributes:
        name: what cards and pages call it.
        url: its address, without the route ("/v1" at the end is dropped).
        engine: what answers there; "auto" asks it.
        api_key_env: name of the environment variable with its key, "" where it wants none. The key
            itself is read when a request is made, and is kept nowhere.
        timeout_s: seconds that one answer may take.
        concurrency: requests under way at once, of all models of this server together.
        batch_tokens: tokens in one request, about; a longer text goes alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str
    engine: EngineChoice = "auto"
    api_key_env: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    timeout_s: float = Field(default=60.0, gt=0)
    concurrency: int = Field(default=4, ge=1, le=64)
    batch_tokens: int = Field(default=16_384, ge=1)

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError("expected an address such as http://host:8000") from error
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("expected an address such as http://host:8000")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "a user, password or query has no place here; name the environment variable "
                "that holds the key in api_key_env"
            )
        return value.strip().rstrip("/").removesuffix("/v1").rstrip("/")


class Settings(BaseModel):
    """What the operator of this installation has decided; see the module's docstring."""

    # A refused address may hold a password, which must not get into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    memory_budget_gb: float | None = Field(default=None, gt=0)
    cache_max_mb: int = Field(default=2048, ge=1)
    device: str | None = None
    threads: int | None = Field(default=None, ge=1)
    card_folders: tuple[Path, ...] = ()
    data_folders: tuple[Path, ...] | None = None
    max_saved_runs: int = Field(default=500, ge=0)
    trusted_code: tuple[TrustedCode, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    @field_validator("device")
    @classmethod
    def _auto_is_none(cls, value: str | None) -> str | None:
        return None if value in ("", "auto") else value

    @field_validator("endpoints")
    @classmethod
    def _one_of_each_name(cls, value: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        names = [endpoint.name for endpoint in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {', '.join(twice)} is used more than once")
        return value

    def endpoint(self, name: str) -> Endpoint | None:
        """The server of this name."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)

    @property
    def trusted_names(self) -> frozenset[str]:
        """The trusted repositories as "model@revision"."""
        return frozenset(f"{item.model}@{item.revision}" for item in self.trusted_code)


def settings_path() -> Path:
    """The file the settings are read from; it need not be there unless the variable names it."""
    named = os.environ.get(SETTINGS_VARIABLE)
    return Path(named).expanduser() if named else user_folder() / SETTINGS_FILE


def load_settings(path: Path | None = None) -> Settings:
    """Reads the settings; a file that is not there means the defaults.

    Args:
        path: of the file; by default `settings_path()`.

    Raises:
        SettingsError: names the file and the key that is unknown or has a wrong value, or a file
            that REWARD_WORKBENCH_SETTINGS or the caller names and that is not there.
    """
    file = path or settings_path()
    must_exist = path is not None or bool(os.environ.get(SETTINGS_VARIABLE))
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if must_exist:
            raise SettingsError(f"Settings {file}: there is no such file.") from error
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Settings {file}: cannot be read as TOML: {error}") from error
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"Settings {file}: {_explain(error)}") from error
    folders = {
        name: tuple(file.parent / folder.expanduser() for folder in getattr(settings, name))
        for name in ("card_folders", "data_folders")
        if getattr(settings, name) is not None
    }
    return settings.model_copy(update=folders)


_PARTS: dict[str, type[BaseModel]] = {"trusted_code": TrustedCode, "endpoints": Endpoint}


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(dict(item)) for item in error.errors())


def _explain_one(item: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        part = _PARTS.get(key.partition(".")[0]) if "." in key else None
        known = ", ".join((part or Settings).model_fields)
        return f"unknown key {key} (known: {known})"
    if key.endswith("revision"):
        return f"key {key}: expected a full commit hash of 40 hexadecimal digits"
    return f"key {key}: {str(item['msg']).removeprefix('Value error, ')}"
