"""The losses on images that the stages share: L1, perceptual, identity (Eq. 2)."""

from typing import Any

from basicsr.losses import build_loss
from torch import Tensor, nn

# key of the train options -> name in the log
IMAGE_LOSSES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep', 'identity_opt': 'l_identity'}


class ImageLosses(nn.Module):
    """Builds the losses that the `train` options name, each by its `type` in BasicSR's registry.

    forward(x, target), both (B, 3, R, R) in [-1, 1], RGB -> {name in the log: scalar}, empty without any such option.
    """

    def __init__(self, train_opt: dict[str, Any]) -> None:
        super().__init__()
        named = {key: name for key, name in IMAGE_LOSSES.items() if train_opt.get(key)}
        self.losses = nn.ModuleDict({name: build_loss(train_opt[key]) for key, name in named.items()})

    def __len__(self) -> int:
        return len(self.losses)

    def forward(self, x: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {name: loss(x, target) for name, loss in self.losses.items()}
