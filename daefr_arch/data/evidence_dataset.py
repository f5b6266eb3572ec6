"""Pairs of a photo of a face, damaged in any way, and the face that it should show."""

from typing import Annotated, Any, Literal

import cv2
import numpy as np
from basicsr.utils.registry import DATASET_REGISTRY
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset, DegradationDatasetOptions
from daefr_arch.data.face_warp import warp_face
from daefr_arch.data.image_source import ImageSource
from daefr_arch.data.photo_degradation import PhotoDegradation, StepProbabilities, degrade_photo
from daefr_arch.options.registered import Arguments
from daefr_arch.options.section import OptionError


class EvidenceDatasetOptions(DegradationDatasetOptions):
    """Faces of a folder or an LMDB, made photos while they are read."""

    target: Literal['gt'] = 'gt'
    """the truth is always the sound face"""
    severity_power: NonNegativeFloat = 1.5
    """light damage is more frequent with larger ones; 0: the full ranges only"""
    probabilities: Annotated[dict[str, Any], Arguments(StepProbabilities)] | None = None
    """how often each step is drawn"""
    warp: NonNegativeFloat = 0.0
    """how strongly the shapes of the faces are changed first"""
    shrink: Annotated[float, Field(gt=0, le=1)] = 1.0
    """faces are shrunk first, to a share of gt_size drawn from [shrink, 1]: the smaller, the sharper they are, as sharp
    as faces of better cameras; needs a crop_size that fits"""
    crop_size: PositiveInt | None = None
    """side of a random part of each photo that is yielded: what hides a face is much the same everywhere in a photo, so
    that more photos teach more than whole ones; ~: whole photos"""
    hold_out: NonNegativeInt = 0
    """every so many images are held out of the training; 0: none"""
    held_out: bool = False
    """yield the images that are held out instead of the others"""

    @model_validator(mode='after')
    def _fits(self) -> 'EvidenceDatasetOptions':
        if self.crop_size and self.crop_size > self.gt_size:
            raise OptionError(('crop_size',), f': expected 1 to gt_size {self.gt_size}, got {self.crop_size}')
        if self.shrink * self.gt_size < (self.crop_size or self.gt_size):
            raise OptionError(('shrink',), f': expected a share of gt_size that holds crop_size, got {self.shrink}')
        if self.hold_out == 1 or (self.held_out and not self.hold_out):
            raise OptionError(('hold_out',), f': expected 0 (with held_out: false) or 2 and more, got {self.hold_out}')
        return self


@DATASET_REGISTRY.register()
class DAEFREvidenceDataset(DAEFRDegradationDataset):
    """Faces of a folder or a BasicSR LMDB, made photos by `degrade_photo` while they are read.

    A sample: as of DAEFRDegradationDataset. `gt` has the photo's appearance: it is as grey, toned, dark or faded.

    Args:
        opt: the dataset's part of an option file: EvidenceDatasetOptions.

    Raises:
        InputError: as DAEFRDegradationDataset.
    """

    Options = EvidenceDatasetOptions
    options: EvidenceDatasetOptions

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        self.degradation = PhotoDegradation(
            ranges=self.options,
            severity_power=self.options.severity_power,
            probabilities=StepProbabilities(**(self.options.probabilities or {})),
        )
        every, held_out = self.options.hold_out, self.options.held_out
        if every:
            names = [name for i, name in enumerate(self.source.names) if (i % every == 0) == held_out]
            self.source = ImageSource(names, lmdb_path=self.source.lmdb_path)

    def _degrade(self, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self.options.warp:
            face = warp_face(face, rng, strength=self.options.warp)
        if self.options.shrink < 1:
            share = self.options.shrink + (1 - self.options.shrink) * rng.random()
            side = round(self.options.gt_size * share)
            face = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        photo, truth = degrade_photo(face, self.degradation, rng)
        size = self.options.crop_size or self.options.gt_size
        top, left = (int(draw * (len(face) - size + 1)) for draw in rng.random(2))
        part = slice(top, top + size), slice(left, left + size)
        return np.ascontiguousarray(photo[part]), np.ascontiguousarray(truth[part])
