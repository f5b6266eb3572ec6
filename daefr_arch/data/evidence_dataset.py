"""Pairs of a photo of a face, damaged in any way, and the face that it should show."""

from dataclasses import fields
from typing import Any

import numpy as np
from basicsr.utils.registry import DATASET_REGISTRY

from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset
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
            hold_out (int): every so many images are held out of the training; 0: none. Default: 0.
            held_out (bool): yield the images that are held out instead of the others. Default: False.

    Raises:
        InputError: as DAEFRDegradationDataset.
    """

    option_keys = (
        *(key for key in DAEFRDegradationDataset.option_keys if key != 'target'),
        *('severity_power', 'probabilities', 'hold_out', 'held_out'),
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
        every, held_out = int(opt.get('hold_out', 0)), bool(opt.get('held_out', False))
        if every < 0 or every == 1 or (held_out and not every):
            raise InputError(f'{where}: hold_out: expected 0 (with held_out: false) or 2 and more, got {every}')
        if every:
            names = [name for i, name in enumerate(self.source.names) if (i % every == 0) == held_out]
            self.source = ImageSource(names, lmdb_path=self.source.lmdb_path)

    def _degrade(self, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return degrade_photo(face, self.degradation, rng)
