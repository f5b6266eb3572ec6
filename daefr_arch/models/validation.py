"""Validation during training and in BasicSR's test pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils import imwrite, tensor2img
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from daefr_arch.errors import TrainingError
from daefr_arch.io.progress import ProgressBar
from daefr_arch.models.distributed import sum_over_ranks, world_size

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from daefr_arch.models.base import DAEFRBaseModel

LOGGED_IMAGES = 4  # of each validation set, in TensorBoard

_logger = logging.getLogger('basicsr')  # the log of the training run


class BestRecord:
    """The best value so far of the first metric of the first validation set that asks."""

    def __init__(self) -> None:
        self.dataset: str | None = None
        self.value: float | None = None

    def update(self, dataset: str, values: Mapping[str, float], options: Mapping[str, Any] | None) -> bool:
        """Whether `values` (by metric) are the best so far. `options`: val.metrics; `better: lower` turns it round."""
        if not values or not options or self.dataset not in (None, dataset):
            return False
        metric = next(iter(options))
        sign = -1 if options[metric].get('better') == 'lower' else 1
        if self.value is not None and sign * values[metric] <= sign * self.value:
            return False
        self.dataset, self.value = dataset, values[metric]
        return True

    def state_dict(self) -> dict[str, Any]:
        return {'dataset': self.dataset, 'value': self.value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.dataset, self.value = state['dataset'], state['value']


def validate(
    model: DAEFRBaseModel,
    dataset: Dataset,
    current_iter: int | str,
    tb_logger: SummaryWriter | None,
    save_img: bool,
) -> dict[str, float]:
    """Restores every image of a dataset, each process its share; returns the mean of each metric of val.metrics.

    Images go to path.visualization if `save_img`, as BasicSR's SRModel names them; the first ones, as input, result
    and target side by side, and the metrics go to TensorBoard.

    Raises TrainingError where what the network makes of an image is not finite, in float32 too.
    """
    val = model.options.val
    options = (val and val.metrics) or {}
    totals = torch.zeros(len(options), dtype=torch.float64)
    name: str = dataset.opt['name']  # type: ignore[attr-defined]
    count = len(dataset)  # type: ignore[arg-type]
    indices = range(model.opt['rank'], count, world_size())
    for index in ProgressBar(indices, unit='image', disable=not (val and val.pbar) or model.opt['rank'] != 0):
        model.feed_data(default_collate([dataset[index]]))
        restored = _restored(model, name)
        result, gt = _to_image(restored), None if model.gt is None else _to_image(model.gt)
        if save_img:
            imwrite(result, str(_image_path(model, name, current_iter)))
        totals += torch.tensor([_metric(options[metric], result, gt) for metric in options], dtype=torch.float64)
        if tb_logger and index < LOGGED_IMAGES * world_size():
            row = [_to_image(model.lq), result, *([] if gt is None else [gt])]
            image = np.concatenate(row, 1)[..., ::-1].copy()  # TensorBoard wants RGB
            tb_logger.add_image(f'{name}/{Path(model.paths[0]).stem}', image, current_iter, dataformats='HWC')
    means = (sum_over_ranks(totals.float().to(model.device)) / count).tolist()
    values = dict(zip(options, means, strict=True))
    _log(name, values, current_iter, tb_logger)
    return values


def _restored(model: DAEFRBaseModel, dataset_name: str) -> Tensor:
    """(1, 3, H, W) in [-1, 1], of the batch that the model was fed; in float32 where train.amp overflows."""
    with model.autocast():
        restored = model.restore()
    if model.amp_type is not None and not restored.isfinite().all():
        restored = model.restore()
    if not restored.isfinite().all():
        raise TrainingError(
            f'validation {dataset_name}: the network output for {model.paths[0]} is not finite, in float32 too: '
            'go on from an earlier checkpoint with a lower learning rate'
        )
    return restored


def _to_image(batch: Tensor) -> np.ndarray:
    """(1, 3, H, W) RGB in [-1, 1] -> (H, W, 3) BGR uint8."""
    return tensor2img([batch.float()], min_max=(-1, 1))


def _metric(options: Mapping[str, Any], result: np.ndarray, gt: np.ndarray | None) -> float:
    options = {key: value for key, value in options.items() if key != 'better'}
    images = {'img': result} if gt is None else {'img': result, 'img2': gt}
    return float(calculate_metric(images, options))


def _image_path(model: DAEFRBaseModel, dataset_name: str, current_iter: int | str) -> Path:
    folder, stem = Path(model.opt['path']['visualization']), Path(model.paths[0]).stem
    if model.is_train:
        return folder / stem / f'{stem}_{current_iter}.png'
    return folder / dataset_name / f'{stem}_{model.opt["val"].get("suffix") or model.opt["name"]}.png'


def _log(name: str, values: Mapping[str, float], current_iter: int | str, tb_logger: SummaryWriter | None) -> None:
    text = ' '.join(f'{metric}: {value:.4f}' for metric, value in values.items())
    _logger.info('Validation %s, %s: %s', name, current_iter, text)
    if tb_logger:
        for metric, value in values.items():
            tb_logger.add_scalar(f'metrics/{name}/{metric}', value, current_iter)
