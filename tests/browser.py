"""A headless Chromium that logs every request, for tests of pages."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,800",
)
PATIENCE = 500  # [s]


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Yield a selenium driver of a fresh Chromium; skip the test where the system has none."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are not installed (apt-get install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def wait_until(browser: Any, condition: str) -> None:
    """Wait until a JavaScript expression holds."""
    until = time.monotonic() + PATIENCE
    while not browser.execute_script(f"return Boolean({condition})"):
        assert time.monotonic() < until, f"not within {PATIENCE} s: {condition}"
        time.sleep(0.1)


def requested_over_network(browser: Any) -> list[str]:
    """Return the addresses that were asked for over a network so far."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in sent if url.startswith(("http:", "https:", "ws:", "wss:"))]
