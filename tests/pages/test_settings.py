"""The server settings that make the difference between two reruns a second and a class of sixty."""

import os
import subprocess
import sys
import tomllib
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


def test_streamlit_finds_no_pages_by_itself():
    # Beside a folder named "pages" the first visitor of a fresh server who follows a link to a page
    # is told that the page does not exist, because Streamlit looks there before app.py has run.
    assert not (ROOT / "pages").exists()


def test_an_installed_wheel_opens_on_the_playground(tmp_path):
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = wheel["targets"]["wheel"]["force-include"]
    for source, place in included.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).symlink_to(ROOT / source)
    script = tmp_path / "core" / "_app" / "app.py"
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(script)!r}, default_timeout=200).run();"
        "print([e.message for e in app.exception], len(app.button))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, cwd=script.parent,
        env={**os.environ, "PYTHONPATH": f"{script.parent}:{ROOT}"},
    )  # fmt: skip
    said = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-2000:]
    assert said.startswith("[] ")
    assert int(said.removeprefix("[] ")) > 3
