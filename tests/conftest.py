"""What all tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public evaluation sets; tests that use it are marked `shared_data`.

    REWARD_WORKBENCH_SHARED_DATA names it; otherwise it is looked for beside the checkout.
    """
    named = os.environ.get("REWARD_WORKBENCH_SHARED_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public evaluation sets are not here")
    return folder
