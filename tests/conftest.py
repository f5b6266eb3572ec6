"""Shared fixtures, and which process runs which tests."""

from collections.abc import Generator

import cv2
import pytest
import torch

import daefr_arch  # noqa: F401  registers everything
from tests.xdist_scheduler import Scheduling


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """That of `--dist loadfile`; other ways to spread tests are xdist's own."""
    return Scheduling(config, log) if config.getoption('dist') == 'loadfile' else None


@pytest.fixture(scope='session', autouse=True)
def _threads():
    """One: most tensors of tests are small, and parallel processes would fight for the cores."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names of files that are no UTF-8 stand in captured logs; reports travel between processes as UTF-8."""
    report = yield
    report.sections = [(title, text.encode('utf-8', 'backslashreplace').decode()) for title, text in report.sections]
    return report
