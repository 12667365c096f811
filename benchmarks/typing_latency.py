"""How soon the number follows the last keystroke, in a real browser on a real server.

`python -m benchmarks.typing_latency` starts the workbench with folders of its own, opens it in
Chromium, fills the editor with a conversation of 200 tokens and types at its end. A script in the
page notes the time of each keystroke and of each change of the first reward on screen; the latency
of a trial is from its last keystroke to the last change, everything between included: the editor,
the way to the server, the model, the page's redraw.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import describe_machine
from core.engine.service import get_service
from core.models.embedded import base_folder, prepare_base
from core.schema import make_conversation
from core.training.preferences import read_preferences

ROOT = Path(__file__).resolve().parents[1]
TARGET_MS = 300
QUIET_MS = 1500
BURST = (" and", " so", " it", " goes", " on")
WATCH = """() => {
  window.keys = []; window.changes = [];
  const number = () => document.querySelector('[data-testid="stMetricValue"]')?.innerText ?? '';
  let shown = number();
  document.addEventListener('input', () => window.keys.push(performance.now()), true);
  new MutationObserver(() => {
    const now = number();
    if (now && now !== shown) { shown = now; window.changes.push(performance.now()); }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def conversation_of(n_tokens: int, model: str) -> tuple[str, str]:
    """An authored prompt, and authored responses joined until both have `n_tokens` tokens."""
    prompts = read_preferences()
    prompt, response = prompts[0].prompt, prompts[0].good
    for other in prompts[1:]:
        encoded = get_service().encode(model, make_conversation(prompt, response))
        if encoded.n_tokens >= n_tokens:
            break
        words = other.good.split()
        response += " " + " ".join(words[: max(1, (n_tokens - encoded.n_tokens) // 2)])
    return prompt, response


@contextmanager
def workbench() -> Iterator[str]:
    """The address of a running workbench with empty caches; only the converted base is shared."""
    prepare_base()
    folder = Path(tempfile.mkdtemp(prefix="typing-"))
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(base_folder().parent)
    environment = os.environ | {
        "REWARD_WORKBENCH_CACHE": str(folder / "cache"),
        "REWARD_WORKBENCH_HOME": str(folder / "home"),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(15)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_healthy(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("The server did not start.")


def measure(page: Any, trials: int, delay_ms: int) -> dict[str, Any]:
    """Types bursts at the end of the response, `delay_ms` between keys.

    Returns:
        `latencies_ms`, `unmoved` (trials after which the number on screen did not change),
        `lost` (keystrokes missing from the text).
    """
    response = page.get_by_label("Response", exact=True)
    latencies, unmoved = [], 0
    expected = response.input_value()
    response.press("Control+End")
    for trial in range(trials):
        text = BURST[trial % len(BURST)]
        page.evaluate("() => { window.keys = []; window.changes = []; }")
        response.press_sequentially(text, delay=delay_ms)
        expected += text
        page.wait_for_timeout(QUIET_MS)
        keys, changes = page.evaluate("() => [window.keys, window.changes]")
        after = [moment for moment in changes if moment > keys[-1]]
        if after:
            latencies.append(after[-1] - keys[-1])
        else:
            unmoved += 1
    lost = len(expected) - len(response.input_value())
    return {"latencies_ms": latencies, "unmoved": unmoved, "lost": lost}


def run(options: argparse.Namespace) -> dict[str, Any]:
    """One measurement: warm-up trials, then the counted ones."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    prompt, response = conversation_of(options.tokens, "pocket")
    n_tokens = get_service().encode("pocket", make_conversation(prompt, response)).n_tokens
    with workbench() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        opened = time.monotonic()
        page.goto(address)
        page.get_by_test_id("stMetricValue").first.wait_for(timeout=90_000)
        first_s = time.monotonic() - opened
        if options.models == 1:
            # The page starts with two models; the last one's tag has a cross.
            page.locator('[data-testid="stMultiSelectTagsContainer"] button').last.click()
        page.get_by_label("User turn 1", exact=True).fill(prompt)
        page.get_by_label("Response", exact=True).fill(response)
        page.wait_for_timeout(15_000)
        page.evaluate(WATCH)
        measure(page, 3, options.delay)
        found = measure(page, options.trials, options.delay)
        n_models = page.get_by_test_id("stMetricValue").count()
        browser.close()
    latencies = np.array(found["latencies_ms"])
    return {
        "machine": describe_machine(),
        "n_tokens": n_tokens,
        "models_on_page": n_models,
        "first_number_s": first_s,
        "median_ms": float(np.median(latencies)),
        "p95_ms": float(np.quantile(latencies, 0.95)),
        "trials": len(latencies),
        **found,
    }


def main() -> None:
    """Measures and prints, and writes JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=200, help="length of the conversation")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--models", type=int, default=1, help="models asked at once: 1 or 2")
    parser.add_argument("--delay", type=int, default=60, help="milliseconds between keys")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    report = run(options)
    verdict = "met" if report["median_ms"] <= TARGET_MS else "missed"
    sys.stdout.write(
        f"{report['n_tokens']} tokens, {report['models_on_page']} models on the page: median "
        f"{report['median_ms']:.0f} ms, p95 {report['p95_ms']:.0f} ms over {report['trials']} "
        f"bursts (target median ≤ {TARGET_MS} ms: {verdict}); {report['unmoved']} bursts left the "
        f"number as it was; {report['lost']} keystrokes lost; first number on a fresh page after "
        f"{report['first_number_s']:.1f} s.\n"
    )
    if options.output:
        options.output.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
