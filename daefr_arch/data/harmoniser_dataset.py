"""Photos of faces, what a restoration network made of them, and the truth, from strips of three images."""

from typing import Any, cast

import cv2
import numpy as np
import torch
from basicsr.utils import img2tensor
from basicsr.utils.registry import DATASET_REGISTRY
from pydantic import PositiveInt
from torch.utils.data import Dataset

from daefr_arch.data.draw_sampler import Draw
from daefr_arch.data.face_warp import warp_face
from daefr_arch.data.image_source import open_source
from daefr_arch.errors import InputError
from daefr_arch.options.dataset import IOBackend, SeededDatasetOptions
from daefr_arch.options.kinds import Share
from daefr_arch.options.registered import declared


class HarmoniserDatasetOptions(SeededDatasetOptions):
    """Photos, what a restoration network made of them, and the truth, from strips."""

    dataroot_gt: str
    """the folder of strips that `daefr network-faces` made"""
    io_backend: IOBackend = IOBackend()
    """where the strips come from"""
    crop_size: PositiveInt | None = None
    """side of a random part of each strip's images that is yielded; ~: whole images"""
    use_hflip: bool = False
    """flip half of the samples"""
    vary: Share = 0.0
    """how often a network's face is varied, so that other networks fit as well"""


@DATASET_REGISTRY.register()
class DAEFRHarmoniserDataset(Dataset):
    """Strips of `daefr network-faces`: photo, network's face and truth side by side, (S, 3 S, 3).

    A sample: `lq`, `network`, `gt`, each (3, S, S) float32 RGB in [-1, 1]; `lq_path` and `gt_path`: the file.

    The network's faces are varied, so that what is learned from them fits other networks as well: another contrast,
    brightness and colour, sharper or softer, features of another shape and a little beside their places.

    Args:
        opt: the dataset's part of an option file: HarmoniserDatasetOptions.

    Raises:
        InputError: an unknown key, or no images; from `dataset[index]`: an image that is no strip.
    """

    Options = HarmoniserDatasetOptions

    def __init__(self, opt: dict[str, Any]) -> None:
        section, closed = declared(type(self), HarmoniserDatasetOptions)
        where = f'dataset {opt.get("name", type(self).__name__)}'
        self.opt = opt
        self.options = cast(HarmoniserDatasetOptions, section.read(opt, (where,), closed=closed))
        self.seed = self.options.seed or 0  # DrawSampler's
        self.source = open_source(self.options.dataroot_gt, self.options.io_backend)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name = self.source.names[index]
        data = self.source.read(index)
        strip = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if strip is None or strip.shape[1] != 3 * strip.shape[0]:
            raise InputError(f'{name}: expected a strip of three square images, as `daefr network-faces` makes them')
        key = (self.seed, index.epoch, index.position) if isinstance(index, Draw) else (self.seed, int(index))
        rng = np.random.default_rng(key)
        photo, network, truth = np.split(strip.astype(np.float32) / 255, 3, axis=1)
        if rng.random() < self.options.vary:
            network = _varied(network, rng)
        images = [photo, network, truth]
        size = self.options.crop_size or len(photo)
        top, left = (int(draw * (len(photo) - size + 1)) for draw in rng.random(2))
        images = [image[top : top + size, left : left + size] for image in images]
        if self.options.use_hflip and rng.random() < 0.5:
            images = [image[:, ::-1] for image in images]
        tensors: list[torch.Tensor] = [
            img2tensor(np.ascontiguousarray(image), bgr2rgb=True, float32=True) * 2 - 1 for image in images
        ]
        return {**dict(zip(('lq', 'network', 'gt'), tensors, strict=True)), 'lq_path': name, 'gt_path': name}


def _varied(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The face (S, S, 3) float32 in [0, 1] as another network could have made it."""
    contrast, brightness, detail = rng.random(3) * 2 - 1
    colour = (rng.random(3) * 2 - 1) * 0.02
    soft = cv2.GaussianBlur(face, (0, 0), 1.2)
    face = soft + np.float32(1 + 0.6 * detail) * (face - soft)
    face = warp_face(face, rng, strength=0.4 * rng.random())
    changed = (face - 0.5) * (1 + 0.1 * contrast) + 0.5 + 0.04 * brightness + colour
    return np.clip(changed, 0, 1).astype(np.float32)
