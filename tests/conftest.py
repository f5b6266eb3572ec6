"""Shared fixtures. The thread counts keep two parallel test processes from fighting for the cores."""

import cv2
import pytest
import torch

import daefr_arch  # noqa: F401  registers everything


@pytest.fixture(scope='session', autouse=True)
def _threads():
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
