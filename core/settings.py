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

Code from a repository never runs unless the operator names it here with a full commit hash: a
branch could change under one's feet.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

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


class Settings(BaseModel):
    """What the operator of this installation has decided; see the module's docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_budget_gb: float | None = Field(default=None, gt=0)
    cache_max_mb: int = Field(default=2048, ge=1)
    device: str | None = None
    threads: int | None = Field(default=None, ge=1)
    card_folders: tuple[Path, ...] = ()
    data_folders: tuple[Path, ...] | None = None
    max_saved_runs: int = Field(default=500, ge=0)
    trusted_code: tuple[TrustedCode, ...] = ()

    @field_validator("device")
    @classmethod
    def _auto_is_none(cls, value: str | None) -> str | None:
        return None if value in ("", "auto") else value

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


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(dict(item)) for item in error.errors())


def _explain_one(item: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = ", ".join(TrustedCode.model_fields if "." in key else Settings.model_fields)
        return f"unknown key {key} (known: {known})"
    if key.endswith("revision"):
        return f"key {key}: expected a full commit hash of 40 hexadecimal digits"
    return f"key {key}: {item['msg']}"
