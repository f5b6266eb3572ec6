"""Pairs of a high-quality face and its degradation by Eq. 8, from a folder or an LMDB.

Every random draw of a sample comes from `np.random.default_rng([seed, epoch, position])`, where `DrawSampler` sends
epoch and position along with the index. So a sample is the same with any number of worker processes, persistent or not,
with any number of GPUs, and after a resume. Without that sampler (a plain index, as in validation) the draws depend on
(seed, index) only: the same degraded image every time.
"""

import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import torch
from basicsr.utils import img2tensor
from basicsr.utils.registry import DATASET_REGISTRY
from torch.utils.data import Dataset
from torchvision.transforms.functional import normalize

from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.data.draw_sampler import Draw
from daefr_arch.data.image_source import open_source
from daefr_arch.errors import InputError
from daefr_arch.io.resize import resize_square
from daefr_arch.options.checks import check_keys

# keys that BasicSR's option parser and loader use
LOADER_KEYS = (
    *('name', 'type', 'phase', 'scale', 'batch_size_per_gpu', 'num_worker_per_gpu', 'dataset_enlarge_ratio'),
    *('use_shuffle', 'prefetch_mode', 'num_prefetch_queue', 'pin_memory', 'persistent_workers'),
)
RANGE_KEYS = tuple(field.name for field in fields(DegradationRanges))
OWN_KEYS = ('dataroot_gt', 'io_backend', 'gt_size', 'use_hflip', 'mean', 'std', 'target', 'seed', 'on_corrupt')

_logger = logging.getLogger('basicsr')  # the log of the training run


@DATASET_REGISTRY.register()
class DAEFRDegradationDataset(Dataset):
    """Faces of a folder (with subfolders, any file names) or a BasicSR LMDB, degraded while they are read.

    A sample: `lq`, `gt`, both (3, gt_size, gt_size) float32 RGB, in [-1, 1] with the default mean and std; `lq` holds
    8-bit values as an image file would. `gt_path` and `lq_path`: the file or the LMDB key.

    Args:
        opt: the dataset's part of an option file. Keys of BasicSR's loader, and

            dataroot_gt (str): the folder, or the LMDB (a folder whose name ends with .lmdb). Required.
            io_backend (dict): {type: disk} (default) or {type: lmdb}.
            gt_size (int): side in pixels; images of another size are resized. Default: 512.
            use_hflip (bool): flip half of the samples. Default: False.
            mean, std (list): of the normalisation, RGB. Default: 0.5 each.
            target (str): 'gt', or 'lq' to yield the degraded image as gt too, for stage 1 LQ. Default: 'gt'.
            seed (int): of order and degradation. Default: 0.
            on_corrupt (str): 'error', or 'skip' to log and count unreadable images (see `corrupt_count`) and to
                yield the next one in their place. Default: 'error'.
            blur_kernel_size, kernel_list, kernel_prob, blur_sigma, downsample_range, noise_range, jpeg_range,
                severity_range: see DegradationRanges, which has the paper's values as defaults.

    Raises:
        InputError: an unknown key, a wrong value, or no images; from `dataset[index]`: an image that cannot be read.
    """

    option_keys: tuple[str, ...] = (*LOADER_KEYS, *RANGE_KEYS, *OWN_KEYS)

    def __init__(self, opt: dict[str, Any]) -> None:
        where = f'dataset {opt.get("name", type(self).__name__)}'
        check_keys(opt, self.option_keys, where=where)
        if 'dataroot_gt' not in opt:
            raise InputError(f'{where}: dataroot_gt is missing: a folder of faces or an LMDB')
        self.opt = opt
        self.ranges = DegradationRanges(**{key: opt[key] for key in RANGE_KEYS if key in opt})
        self.gt_size = int(opt.get('gt_size', 512))
        self.use_hflip = bool(opt.get('use_hflip', False))
        self.mean = list(opt.get('mean', (0.5, 0.5, 0.5)))
        self.std = list(opt.get('std', (0.5, 0.5, 0.5)))
        self.target = _one_of(opt, 'target', ('gt', 'lq'), where)
        self.on_corrupt = _one_of(opt, 'on_corrupt', ('error', 'skip'), where)
        self.seed = int(opt.get('seed', 0))
        self.source = open_source(opt['dataroot_gt'], opt.get('io_backend', {'type': 'disk'}), where=where)
        # one flag for each image, in memory that worker processes share with this one
        self._corrupt = torch.zeros(len(self.source), dtype=torch.uint8).share_memory_()
        self._drawn_without_epoch = False

    def __len__(self) -> int:
        return len(self.source)

    @property
    def corrupt_count(self) -> int:
        """Images found unreadable so far, in all worker processes."""
        return int(self._corrupt.sum())

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(self._draw_key(index))
        image, path = self._read_or_skip(int(index))
        if self.use_hflip and rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        lq, gt = self._degrade(image.astype(np.float32) / 255, rng)
        lq_tensor = self._to_tensor(np.rint(lq * 255) / np.float32(255))
        gt_tensor = lq_tensor.clone() if self.target == 'lq' else self._to_tensor(gt)
        return {'lq': lq_tensor, 'gt': gt_tensor, 'lq_path': path, 'gt_path': path}

    def _degrade(self, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(lq, gt) of a face, all (S, S, 3) float32 BGR in [0, 1]."""
        return degrade(face, draw_params(self.ranges, rng)), face

    def _draw_key(self, index: int) -> Sequence[int]:
        if isinstance(index, Draw):
            return self.seed, index.epoch, index.position
        if self.opt.get('phase') == 'train' and not self._drawn_without_epoch:
            self._drawn_without_epoch = True
            _logger.warning('%s: no DrawSampler: each image has one degradation in all epochs', type(self).__name__)
        return self.seed, index

    def _read_or_skip(self, index: int) -> tuple[np.ndarray, str]:
        for candidate in (*range(index, len(self)), *range(index)):
            try:
                return self._read(candidate), self.source.names[candidate]
            except InputError as error:
                if self.on_corrupt == 'error':
                    raise
                if not self._corrupt[candidate]:
                    self._corrupt[candidate] = 1
                    _logger.warning('skipped: %s', error)
        raise InputError(f'{self.opt["dataroot_gt"]}: none of its {len(self)} images can be read')

    def _read(self, index: int) -> np.ndarray:
        name = self.source.names[index]
        data = self.source.read(index)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            raise InputError(f'{name} of {self.opt["dataroot_gt"]}: missing, damaged, or not an image')
        try:
            return resize_square(image, self.gt_size)
        except InputError as error:
            raise InputError(f'{name} of {self.opt["dataroot_gt"]}: {error}') from error

    def _to_tensor(self, image: np.ndarray) -> torch.Tensor:
        return normalize(img2tensor(image, bgr2rgb=True, float32=True), self.mean, self.std, inplace=True)


def _one_of(opt: dict[str, Any], key: str, valid: Sequence[str], where: str) -> str:
    value = opt.get(key, valid[0])
    if value not in valid:
        raise InputError(f'{where}: {key}: expected {" or ".join(valid)}, got {value!r}')
    return value
