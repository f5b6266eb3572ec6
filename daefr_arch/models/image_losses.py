"""The losses on images that the stages share: L1, perceptual, identity (Eq. 2)."""

from basicsr.losses import build_loss
from torch import Tensor, nn

from daefr_arch.options.registered import Loss
from daefr_arch.options.run_file import TrainOptions

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
