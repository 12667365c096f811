"""A real server and a real browser for the journeys of `tests/browser`."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.models.embedded import base_folder, package_file, prepare_base

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@dataclass(frozen=True)
class Server:
    """A running workbench: its address and the file its output goes to."""

    address: str
    log: Path


def chromium_path() -> str | None:
    """The system's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A workbench with folders of its own; only the converted base is shared."""
    if package_file() is None:
        pytest.skip("the embedded language model's package is not installed")
    prepare_base()
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(base_folder().parent)
    environment = os.environ | {
        "REWARD_WORKBENCH_CACHE": str(folder / "cache"),
        "REWARD_WORKBENCH_HOME": str(folder / "home"),
    }
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(address, process, folder / "server.log")
        yield Server(address, folder / "server.log")
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The workbench that all journeys share."""
    with running_server(tmp_path_factory.mktemp("workbench")) as found:
        yield found


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """A workbench that nobody has visited yet."""
    with running_server(tmp_path) as found:
        yield found


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until the server answers; fails with its output when it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"The server did not start:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def browser() -> Iterator["playwright.sync_api.Browser"]:  # noqa: F821
    """A headless Chromium."""
    path = chromium_path()
    if path is None:
        pytest.skip("there is no Chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server: Server):
    """A fresh visitor's page, with the playground open; errors in the browser fail the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    fresh = context.new_page()
    errors: list[str] = []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    fresh.goto(server.address)
    yield fresh
    context.close()
    # Captured by pytest, which shows it where a test failed.
    sys.stdout.write(server.log.read_text(errors="replace")[-6000:])
    assert not errors, errors
