"""Headless Chromium for the tests of pages, where there is one (apt install chromium chromium-driver)."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
REQUIRED = 'DAEFR_BROWSER_TESTS'


def has_browser() -> bool:
    """Whether there is one; says in one line where there is none, and fails where it must not be missing.

    Set DAEFR_BROWSER_TESTS=required where it must be there.
    """
    if shutil.which('chromium') and shutil.which('chromedriver'):
        return True
    words = 'NOT TESTED in a browser: no chromium and chromedriver on PATH (apt install chromium chromium-driver)'
    if os.environ.get(REQUIRED) == 'required':
        pytest.fail(words)
    warnings.warn(words, stacklevel=2)
    return False


@contextmanager
def chromium(folder: Path, *, size: tuple[int, int] = (1500, 1300)) -> Iterator['webdriver.Chrome']:  # noqa: F821
    """A browser of its own, with its log and network log, whose profile and downloads are in the folder."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in (*FLAGS, f'--user-data-dir={folder / "profile"}', f'--window-size={size[0]},{size[1]}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which('chromedriver')))
    try:
        driver.execute_cdp_cmd('Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(folder)})
        yield driver
    finally:
        driver.quit()
