"""A visitor connects to a server, sees that it squashes rewards, mends the card, and it holds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.models.embedded import base_folder, package_file, prepare_base
from tests.browser.conftest import ROOT, Server, free_port, wait_until_healthy
from tests.servers.base import running
from tests.servers.engines import VllmServer

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SETTLED_MS = 90_000


@pytest.fixture
def engine() -> Iterator[VllmServer]:
    """A server that applies a sigmoid whatever it is asked."""
    made = VllmServer()
    made.squash = True
    with running(made):
        yield made


@pytest.fixture
def workbench(engine: VllmServer, tmp_path: Path) -> Iterator[Server]:
    """A workbench for the person at this machine, whose settings name that server."""
    if package_file() is None:
        pytest.skip("the embedded language model's package is not installed")
    prepare_base()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(base_folder().parent)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "settings.toml").write_text(
        f'[[endpoints]]\nname = "lab"\nurl = "{engine.url}"\n'
    )
    environment = os.environ | {
        "REWARD_WORKBENCH_CACHE": str(tmp_path / "cache"),
        "REWARD_WORKBENCH_HOME": str(tmp_path / "home"),
    }
    environment.pop("REWARD_WORKBENCH_SETTINGS", None)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    command.append("--server.address=127.0.0.1")
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(address, process, log)
        yield Server(address, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def test_connect_see_it_flagged_mend_the_card_and_see_it_hold(
    browser, workbench: Server, engine: VllmServer, tmp_path: Path
):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{workbench.address}/models")
    box = page.locator(".st-key-endpoint-lab")
    expect(box.get_by_text("vLLM 0.11.2")).to_be_visible(timeout=LOADED_MS)
    box.get_by_role("button", name="Make a card").click(timeout=LOADED_MS)

    flagged = box.get_by_text("asking without activation changes nothing")
    expect(flagged).to_be_visible(timeout=SETTLED_MS)
    badges = box.locator(".stMarkdownBadge")
    expect(badges.filter(has_text="activated")).to_be_visible()
    expect(badges.filter(has_text="conforms")).to_have_count(0)

    box.get_by_role("button", name="Set remote.activated to sigmoid").click(timeout=LOADED_MS)
    expect(badges.filter(has_text="conforms")).to_be_visible(timeout=SETTLED_MS)
    expect(badges.filter(has_text="activated")).to_have_count(0)
    assert "activated: sigmoid" in (tmp_path / "home" / "cards" / "lab.yaml").read_text()

    # With raw values again, the card is wrong the other way round, and says so.
    engine.squash = False
    box.get_by_role("button", name="Check again").click(timeout=LOADED_MS)
    expect(box.get_by_role("button", name="Set remote.activated to no")).to_be_visible(
        timeout=SETTLED_MS
    )
    assert page.get_by_test_id("stException").count() == 0
    folder = os.environ.get("REWARD_WORKBENCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/remote.png", full_page=True)
    context.close()
