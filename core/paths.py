"""Where things live: the data that comes with the package, and the user's own folders."""

import os
from pathlib import Path

import platformdirs

APP_NAME = "reward-workbench"


def data_folder() -> Path:
    """The folder of shipped data: `data/` of a checkout, or the copy inside an installed wheel."""
    checkout = Path(__file__).resolve().parent.parent / "data"
    return checkout if checkout.is_dir() else Path(__file__).resolve().parent / "_data"


def cache_folder() -> Path:
    """The user's cache folder; `REWARD_WORKBENCH_CACHE` overrides it. Created when absent."""
    override = os.environ.get("REWARD_WORKBENCH_CACHE")
    folder = Path(override) if override else Path(platformdirs.user_cache_dir(APP_NAME))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def user_folder() -> Path:
    """The user's cards, sessions and runs; REWARD_WORKBENCH_HOME overrides it. Made when absent."""
    override = os.environ.get("REWARD_WORKBENCH_HOME")
    folder = Path(override) if override else Path(platformdirs.user_data_dir(APP_NAME))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
