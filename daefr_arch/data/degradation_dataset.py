"""Pairs of a high-quality face and its degradation by Eq. 8, from a folder or an LMDB.

Every random draw of a sample comes from `np.random.default_rng([seed, epoch, position])`, where `DrawSampler` sends
epoch and position along with the index. So a sample is the same with any number of worker processes, persistent or not,
with any number of GPUs, and after a resume. Without that sampler (a plain index, as in validation) the draws depend on
(seed, index) only: the same degraded image every time.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import cv2
import numpy as np
import torch
from basicsr.utils import img2tensor
from basicsr.utils.registry import DATASET_REGISTRY
from pydantic import PositiveInt
from torch.utils.data import Dataset
from torchvision.transforms.functional import normalize

from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.data.draw_sampler import Draw
from daefr_arch.data.image_source import ImageSource, open_source
from daefr_arch.errors import InputError
from daefr_arch.io.resize import resize_square
from daefr_arch.options.dataset import DATASET, IOBackend, SeededDatasetOptions
from daefr_arch.options.kinds import Colour
from daefr_arch.options.registered import declared
from daefr_arch.options.section import OptionError

_logger = logging.getLogger('basicsr')  # the log of the training run


# keys of GFPGAN's FFHQDegradationDataset
_OF_GFPGAN = ('color_jitter_prob', 'color_jitter_shift', 'color_jitter_pt_prob', 'gray_prob', 'gt_gray')
_COMPONENTS = ('crop_components', 'component_path', 'eye_enlarge_ratio')


class DegradationDatasetOptions(DegradationRanges, SeededDatasetOptions):
    """Faces of a folder or an LMDB, degraded by Eq. 8 while they are read."""

    instead: ClassVar[Mapping[str, str]] = {
        'out_size': 'it is called gt_size here',
        'meta_info': 'it is called meta_info_file here, as in most of BasicSR',
        **dict.fromkeys(_OF_GFPGAN, 'Eq. 8 has no such step: leave it out'),
        **dict.fromkeys(_COMPONENTS, 'no stage has losses of parts of the face: leave it out'),
    }

    dataroot_gt: str
    """a folder of faces, or an LMDB of `daefr make-lmdb`, with io_backend: {type: lmdb}"""
    io_backend: IOBackend = IOBackend()
    """where the images come from"""
    meta_info_file: str | None = None
    """text file with the name of an image below dataroot_gt in each line, for a part of a folder"""
    gt_size: PositiveInt = 512
    """side in pixels, the network's resolution; images of another size are resized"""
    use_hflip: bool = False
    """flip half of the samples"""
    mean: Colour = (0.5, 0.5, 0.5)
    """of the normalisation, RGB"""
    std: Colour = (0.5, 0.5, 0.5)
    """of the normalisation, RGB"""
    target: Literal['gt', 'lq'] = 'gt'
    """lq: yield the degraded image as gt too, for stage 1 LQ"""
    on_corrupt: Literal['error', 'skip'] = 'error'
    """skip: log and count images that cannot be read, and take the next ones"""

    def open_source(self) -> ImageSource:
        """The images. Raises InputError where there are none."""
        return open_source(self.dataroot_gt, self.io_backend, meta_info_file=self.meta_info_file)


def check_images(datasets: Mapping[str, Any], world_size: int) -> None:
    """Opens the folders and LMDBs of the sets that are DAEFRDegradationDataset, before anything else is done.

    Args:
        datasets: of an option file.
        world_size: processes that share the training set.

    Raises:
        OptionError: no images, or fewer for each process than a batch needs.
    """
    for phase, dataset in datasets.items():
        options = DATASET.read(dataset)
        if not isinstance(options, DegradationDatasetOptions):
            continue
        try:
            count = len(options.open_source())
        except InputError as error:
            raise OptionError(('datasets', phase, 'dataroot_gt'), f': {error}') from error
        share, batch = -(-count * options.dataset_enlarge_ratio // world_size), options.batch_size_per_gpu
        if phase == 'train' and share < batch:
            problem = f': {share} images a process are less than batch_size_per_gpu {batch}'
            raise OptionError(('datasets', phase), problem)


@DATASET_REGISTRY.register()
class DAEFRDegradationDataset(Dataset):
    """Faces of a folder (with subfolders, any file names) or a BasicSR LMDB, degraded while they are read.

    A sample: `lq`, `gt`, both (3, gt_size, gt_size) float32 RGB, in [-1, 1] with the default mean and std; `lq` holds
    8-bit values as an image file would. `gt_path` and `lq_path`: the file or the LMDB key.

    Args:
        opt: the dataset's part of an option file: DegradationDatasetOptions.

    Raises:
        InputError: an unknown key, a wrong value, or no images; from `dataset[index]`: an image that cannot be read.
    """

    Options: ClassVar[type[DegradationDatasetOptions]] = DegradationDatasetOptions
    options: DegradationDatasetOptions

    def __init__(self, opt: dict[str, Any]) -> None:
        where = f'dataset {opt.get("name", type(self).__name__)}'
        section, closed = declared(type(self), DegradationDatasetOptions)
        self.opt = opt
        self.options = cast(DegradationDatasetOptions, section.read(opt, (where,), closed=closed))
        self.seed = self.options.seed or 0  # DrawSampler's
        self.source = self.options.open_source()
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
        if self.options.use_hflip and rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        lq, gt = self._degrade(image.astype(np.float32) / 255, rng)
        lq_tensor = self._to_tensor(np.rint(lq * 255) / np.float32(255))
        gt_tensor = lq_tensor.clone() if self.options.target == 'lq' else self._to_tensor(gt)
        return {'lq': lq_tensor, 'gt': gt_tensor, 'lq_path': path, 'gt_path': path}

    def _degrade(self, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(lq, gt) of a face, all (S, S, 3) float32 BGR in [0, 1]."""
        return degrade(face, draw_params(self.options, rng)), face

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
                if self.options.on_corrupt == 'error':
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
            return resize_square(image, self.options.gt_size)
        except InputError as error:
            raise InputError(f'{name} of {self.opt["dataroot_gt"]}: {error}') from error

    def _to_tensor(self, image: np.ndarray) -> torch.Tensor:
        return normalize(
            img2tensor(image, bgr2rgb=True, float32=True), self.options.mean, self.options.std, inplace=True
        )
