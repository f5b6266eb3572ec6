"""The losses on images that the stages share: L1, perceptual, identity (Eq. 2)."""

from typing import ClassVar

from basicsr.losses import build_loss
from pydantic import model_validator
from torch import Tensor, nn

from daefr_arch.options.registered import Loss
from daefr_arch.options.run_file import TrainOptions
from daefr_arch.options.section import OptionError

# option -> name in the log
_LOG_NAMES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep', 'identity_opt': 'l_identity'}


class ImageLossOptions(TrainOptions):
    """`train` of a stage with losses on images."""

    pixel_opt: Loss | None = None
    """L1 distance to the target"""
    perceptual_opt: Loss | None = None
    """distance of pretrained features"""
    identity_opt: Loss | None = None
    """distance of face embeddings"""

    needs_image_loss: ClassVar[bool] = False  # of stages that train on nothing else

    @model_validator(mode='after')
    def _has_loss(self) -> 'ImageLossOptions':
        if self.in_training and self.needs_image_loss and not any(getattr(self, key) for key in _LOG_NAMES):
            raise OptionError((), f': expected a loss on images, one of {", ".join(_LOG_NAMES)}')
        return self


class ImageLosses(nn.Module):
    """Builds the losses that the `train` options name, each by its `type` in BasicSR's registry.

    forward(x, target), both (B, 3, R, R) in [-1, 1], RGB -> {name in the log: scalar}, empty without any such option.
    """

    def __init__(self, options: ImageLossOptions) -> None:
        super().__init__()
        losses = {name: getattr(options, key) for key, name in _LOG_NAMES.items()}
        self.losses = nn.ModuleDict({name: build_loss(loss) for name, loss in losses.items() if loss})

    def __len__(self) -> int:
        return len(self.losses)

    def forward(self, x: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {name: loss(x, target) for name, loss in self.losses.items()}
