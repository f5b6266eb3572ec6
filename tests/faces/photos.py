"""Real photos that the dependencies carry, and a network that needs no weights."""

from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage.data
import torch
from torch import Tensor, nn

from daefr_arch.faces.fusion import EvidenceFusion
from daefr_arch.faces.torch_fusion import TorchFusion

# of the embedded detector in `astronaut()`, as facexlib's own decoding gives them
ASTRONAUT_LANDMARKS = np.array(
    [[204.81, 100.78], [247.38, 103.42], [223.56, 129.24], [202.49, 138.15], [244.22, 140.56]]
)


@cache
def astronaut() -> np.ndarray:
    """A portrait (512, 512, 3) BGR; its face is 120 pixels high."""
    img = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    img.setflags(write=False)
    return img


@cache
def grace_hopper() -> np.ndarray:
    """A portrait (600, 512, 3) BGR."""
    img = cv2.imread(str(Path(matplotlib.get_data_path()) / 'sample_data' / 'grace_hopper.jpg'))
    img.setflags(write=False)
    return img


class FakeNetwork(nn.Module):
    """Adds `brightness`, and notes the sizes of its batches; gives NaN for faces whose mean is above `nan_above`."""

    def __init__(self, *, resolution: int = 64, brightness: float = 0.0, nan_above: float = 2.0) -> None:
        super().__init__()
        self.resolution = resolution
        self.brightness = nn.Parameter(torch.tensor(brightness))
        self.nan_above = nan_above
        self.batches: list[int] = []
        self.strengths: list[float | None] = []

    def forward(self, x: Tensor, s_lq: float | None = None) -> tuple[Tensor, None, None]:
        self.batches.append(len(x))
        self.strengths.append(s_lq)
        broken = x.mean(dim=(1, 2, 3), keepdim=True) > self.nan_above
        return torch.where(broken, torch.nan, x + self.brightness), None, None


class ShownShare(nn.Module):
    """Stands in for DAEFREvidence: the same log error ratio everywhere; the default says that nothing is shown."""

    def __init__(self, log_ratio: float = 50.0) -> None:
        super().__init__()
        self.log_ratio = log_ratio

    def forward(self, photo: Tensor) -> list[Tensor]:
        sides = [photo.shape[3] // 2 ** max(1, level) for level in range(6)]
        return [torch.full((len(photo), 2, side, side), self.log_ratio) for side in sides]


def nothing_shown() -> EvidenceFusion:
    """A fusion that takes the network's face for all of it."""
    return EvidenceFusion(TorchFusion(ShownShare()))


def all_shown() -> EvidenceFusion:
    """A fusion that keeps every face."""
    return EvidenceFusion(TorchFusion(ShownShare(-50.0)))
