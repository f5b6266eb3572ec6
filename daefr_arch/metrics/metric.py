"""What a metric is: a name, a direction, a protocol to print beside its number, and a way to measure."""

from abc import ABC, abstractmethod

import numpy as np


class Metric(ABC):
    """Common to metrics of images and of sets."""

    name: str
    title: str  # as in the paper's tables
    unit: str = ''
    lower_is_better: bool = True
    needs_ground_truth: bool = True
    protocol: str  # one line with all that a reader needs to repeat the number: colours, range, size, network

    @property
    def label(self) -> str:
        """The title with its unit and an arrow towards better."""
        unit = f' [{self.unit}]' if self.unit else ''
        return f'{self.title}{unit} {"↓" if self.lower_is_better else "↑"}'


class ImageMetric(Metric):
    """A number for every image."""

    @abstractmethod
    def __call__(self, img: np.ndarray, img2: np.ndarray | None = None) -> float:
        """`img`: the result, `img2`: the ground truth where one is needed; BGR uint8 (H, W, 3)."""


class SetMetric(Metric):
    """A number for a whole set of images: `update` with each, then `compute`."""

    @abstractmethod
    def update(self, img: np.ndarray, img2: np.ndarray | None = None) -> None:
        """Takes in one result (and its ground truth, where the metric compares with those); BGR uint8 (H, W, 3)."""

    @abstractmethod
    def compute(self) -> float:
        """The number for all images since the start or since `reset`."""

    @abstractmethod
    def reset(self) -> None:
        """Forgets the images."""
