"""A DAEFR as it is exported: what goes in and comes out by name, in operators that ONNX has."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.archs.layers import Downsample, Upsample
from daefr_arch.archs.replacement import with_replaced


class ExportedDAEFR(nn.Module):
    """A DAEFR whose forward pass has no branches and gives the codes.

    forward: image (N, 3, R, R) in [-1, 1], RGB, and, where the network has the control module, weight (1,), s_lq in
    [0, 1], at 0 exactly the network without it -> (restored (N, 3, R, R), about [-1, 1], RGB; code_index (N, r * r)
    int64, row-major). A face is NaN where anything of it in the network is not finite, whatever its codes.

    Weights are shared with `network`.
    """

    def __init__(self, network: DAEFR) -> None:
        super().__init__()
        self.network = cast(DAEFR, with_replaced(network, plain_resampling))

    def forward(self, image: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See the class."""
        network = self.network
        prediction = network.predict(image)
        code_index = prediction.logits.argmax(2)
        codes = network.codebook.lookup(code_index, network.latent_size, network.latent_size)
        if weight is not None:
            assert network.lq_codebook is not None
            assert network.lq_control is not None
            lq_codes = network.lq_codebook(prediction.lq_feature).codes
            codes = torch.where(weight == 0, codes, network.lq_control(codes, lq_codes, weight))
        return prediction.mark(network.decoder(network.post_quant_conv(codes))), code_index


def plain_resampling(module: nn.Module) -> nn.Module | None:
    """Strided convolution and enlargement as ONNX has them; None for other modules.

    Both compute the same faster in PyTorch on a CPU; in ONNX Runtime this is as fast, and the kernels are those of the
    checkpoint.
    """
    if isinstance(module, Downsample):
        conv = copy.copy(module.conv)
        conv.padding, conv._reversed_padding_repeated_twice = (0, 0), [0, 0, 0, 0]
        return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), conv)
    if isinstance(module, Upsample):
        return nn.Sequential(nn.Upsample(scale_factor=2), module.conv)
    return None
