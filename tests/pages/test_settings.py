"""The server settings that make the difference between two reruns a second and a class of sixty."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each was measured or is a matter of safety; the file says why.
EXPECTED = {
    "runner.postScriptGC": False,
    "runner.magicEnabled": False,
    "server.fileWatcherType": "none",
    "server.address": "127.0.0.1",
    "server.headless": True,
    "server.maxUploadSize": 20,
    "server.maxMessageSize": 50,
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,
    "client.showErrorDetails": "type",
    "client.showErrorLinks": False,
    "client.toolbarMode": "viewer",
    "browser.gatherUsageStats": False,
}


@pytest.fixture(scope="module")
def options() -> dict[str, str]:
    """The options of a process that starts where the server starts."""
    script = "import streamlit as st\nfor name in %r: print(name, repr(st.get_option(name)))"
    done = subprocess.run(
        [sys.executable, "-c", script % list(EXPECTED)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.mark.parametrize("name", EXPECTED)
def test_setting(options, name):
    assert options[name] == repr(EXPECTED[name])


def test_no_page_lies_where_streamlit_would_run_it_alone():
    # Streamlit's legacy discovery takes every pages/*.py for a page of its own.
    assert [path.name for path in (ROOT / "pages").glob("*.py")] == ["__init__.py"]
