"""Pairs of a photo of a face, damaged in any way, and the face that it should show."""

from dataclasses import fields
from typing import Any

import cv2
import numpy as np
from basicsr.utils.registry import DATASET_REGISTRY

from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset
from daefr_arch.data.face_warp import warp_face
from daefr_arch.data.image_source import ImageSource
from daefr_arch.data.photo_degradation import PhotoDegradation, StepProbabilities, degrade_photo
from daefr_arch.errors import InputError
from daefr_arch.options.checks import check_keys


@DATASET_REGISTRY.register()
class DAEFREvidenceDataset(DAEFRDegradationDataset):
    """Faces of a folder or a BasicSR LMDB, made photos by `degrade_photo` while they are read.

    A sample: as of DAEFRDegradationDataset. `gt` has the photo's appearance: it is as grey, toned, dark or faded.

    Args:
        opt: the options of DAEFRDegradationDataset, of which `target` must stay 'gt', and

            severity_power (float): see PhotoDegradation. Default: 1.5.
            probabilities (dict): of the steps, see StepProbabilities.
            warp (float): how strongly the shapes of the faces are changed first, see face_warp. Default: 0.
            shrink (float): faces are shrunk first, to a share of gt_size drawn from [shrink, 1]: the smaller, the
                sharper they are, as sharp as faces of better cameras. Needs a crop_size that fits. Default: 1, none.
            crop_size (int): side of a random part of each photo that is yielded; what hides a face is much the same
                everywhere in a photo, so that more photos teach more than whole ones. Default: whole photos.
            hold_out (int): every so many images are held out of the training; 0: none. Default: 0.
            held_out (bool): yield the images that are held out instead of the others. Default: False.

    Raises:
        InputError: as DAEFRDegradationDataset.
    """

    option_keys = (
        *(key for key in DAEFRDegradationDataset.option_keys if key != 'target'),
        *('severity_power', 'probabilities', 'warp', 'shrink', 'crop_size', 'hold_out', 'held_out'),
    )

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        where = f'dataset {opt.get("name", type(self).__name__)}'
        chances = opt.get('probabilities') or {}
        check_keys(chances, tuple(item.name for item in fields(StepProbabilities)), where=f'{where}: probabilities')
        self.degradation = PhotoDegradation(
            ranges=self.ranges,
            severity_power=float(opt.get('severity_power', 1.5)),
            probabilities=StepProbabilities(**chances),
        )
        self.warp = float(opt.get('warp', 0))
        self.crop_size = int(opt.get('crop_size') or self.gt_size)
        if not 0 < self.crop_size <= self.gt_size:
            raise InputError(f'{where}: crop_size: expected 1 to gt_size {self.gt_size}, got {self.crop_size}')
        self.shrink = float(opt.get('shrink', 1))
        if not 0 < self.shrink <= 1 or self.shrink * self.gt_size < self.crop_size:
            raise InputError(f'{where}: shrink: expected a share in (0, 1] of gt_size that holds crop_size')
        every, held_out = int(opt.get('hold_out', 0)), bool(opt.get('held_out', False))
        if every < 0 or every == 1 or (held_out and not every):
            raise InputError(f'{where}: hold_out: expected 0 (with held_out: false) or 2 and more, got {every}')
        if every:
            names = [name for i, name in enumerate(self.source.names) if (i % every == 0) == held_out]
            self.source = ImageSource(names, lmdb_path=self.source.lmdb_path)

    def _degrade(self, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self.warp:
            face = warp_face(face, rng, strength=self.warp)
        if self.shrink < 1:
            size = round(self.gt_size * (self.shrink + (1 - self.shrink) * rng.random()))
            face = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
        photo, truth = degrade_photo(face, self.degradation, rng)
        top, left = (int(draw * (len(face) - self.crop_size + 1)) for draw in rng.random(2))
        part = slice(top, top + self.crop_size), slice(left, left + self.crop_size)
        return np.ascontiguousarray(photo[part]), np.ascontiguousarray(truth[part])
