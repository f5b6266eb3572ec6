"""Shared fixtures. The thread counts keep parallel test processes from fighting for the cores."""

import os
from collections.abc import Generator

import cv2
import pytest
import torch

import daefr_arch  # noqa: F401  registers everything


@pytest.fixture(scope='session', autouse=True)
def _threads():
    threads = 1 if 'PYTEST_XDIST_WORKER' in os.environ else 2
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names of files that are no UTF-8 stand in captured logs; reports travel between processes as UTF-8."""
    report = yield
    report.sections = [(title, text.encode('utf-8', 'backslashreplace').decode()) for title, text in report.sections]
    return report
