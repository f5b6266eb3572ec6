"""Which network the perceptual loss compares features of: settled once a run, alike in all processes and on resume."""

import logging
from typing import Any

from basicsr.losses import build_loss
from basicsr.utils.registry import LOSS_REGISTRY

from daefr_arch.errors import WeightsError
from daefr_arch.losses.perceptual_loss import DAEFRPerceptualLoss
from daefr_arch.models.distributed import gather_objects

_logger = logging.getLogger('basicsr')  # the log of the training run


def settle_backbone(train: dict[str, Any], *, rank: int, kept: str | None = None) -> str | None:
    """Puts the backbone that is used in place of the choice that `perceptual_opt` leaves; returns its name.

    Args:
        train: the section of the option file; its perceptual_opt is replaced by one without fallback.
        rank: of this process. The first tries what can be had, and downloads it, alone.
        kept: the backbone that the run went with until now. It stays where the file still allows for it.

    Returns:
        None where there is no DAEFRPerceptualLoss.

    Raises:
        WeightsError: in all processes, where the first can have no backbone.
    """
    options = train.get('perceptual_opt')
    if not options or not _is_ours(options['type']):
        return None
    allowed = options.get('backbone', 'vgg19'), options.get('fallback')
    if kept and kept not in allowed:
        _logger.warning('perceptual_opt: the run went with %s features until now, the file names others', kept)
    if allowed[1] is None:
        return allowed[0]
    if kept in allowed:
        options = {**options, 'backbone': kept, 'fallback': None}
    name, problem = gather_objects(_available(options) if rank == 0 else (None, None))[0]
    if problem:
        raise WeightsError(problem)
    train['perceptual_opt'] = {**options, 'backbone': name, 'fallback': None}
    return name


def _available(options: dict[str, Any]) -> tuple[str | None, str | None]:
    """The name of the backbone whose weights can be had, or what is wrong."""
    try:
        return build_loss(options).backbone, None
    except WeightsError as error:
        return None, str(error)


def _is_ours(name: str) -> bool:
    registered = LOSS_REGISTRY.get(name) if name in LOSS_REGISTRY else None
    return isinstance(registered, type) and issubclass(registered, DAEFRPerceptualLoss)
