"""DAEFR with each stage in its own precision, by the types of its weights: no casts around every operation."""

import copy

import torch
from torch import Tensor, nn

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.archs.layers import Upsample
from daefr_arch.archs.replacement import with_replaced
from daefr_arch.kernels import keep_compiled_kernels
from daefr_arch.runtime.precision import StagePrecisions, precision_context, type_of

# the parts of DAEFR whose weights take a reduced precision; the LQ codebook, which is searched, stays in float32
_ENCODERS = ('hq_encoder', 'hq_quant_conv', 'lq_encoder', 'lq_quant_conv')
_CODE_PREDICTION = ('fusion', 'feat_embedding', 'transformer', 'code_head')
_DECODER = ('codebook', 'lq_control', 'post_quant_conv', 'decoder')
# faces that the encoders and the decoder take at once: so a batch of 32 needs a quarter of the plain network's memory
MOST_FACES = 16


class StagedNetwork:
    """Computes faces (B, 3, R, R) float32 -> restored faces, the same, RGB in [-1, 1].

    A face is NaN where anything of it in the network is not finite.

    Weights in float32 are shared with `network`, others are copies of its. `network` must be on its device. compile:
    by torch.compile, at the first call with each shape; what it made is kept in the cache folder.
    """

    def __init__(self, network: DAEFR, precisions: StagePrecisions, *, compile: bool = False) -> None:
        self.encoder_type, self.prediction_type, decoder_type = map(type_of, precisions)
        self.float32 = 'tf32' if 'tf32' in precisions else 'fp32'  # how what is not reduced is multiplied
        self.network = copy.copy(network)
        self.network._modules = dict(network._modules)
        for parts, dtype in (
            (_ENCODERS, self.encoder_type),
            (_CODE_PREDICTION, self.prediction_type),
            (_DECODER, decoder_type),
        ):
            for part in parts:
                module = network._modules.get(part)
                if module is not None:
                    module = with_replaced(module, _folded)
                    self.network._modules[part] = copy.deepcopy(module).to(dtype) if dtype != torch.float32 else module
        self._compute = self._forward
        if compile:
            keep_compiled_kernels()
            self._compute = torch.compile(self._forward, dynamic=False)

    def __call__(self, x: Tensor, s_lq: float | None) -> Tensor:
        with precision_context(self.float32, x.device):
            return self._compute(x, s_lq)

    def _forward(self, x: Tensor, s_lq: float | None) -> Tensor:
        parts = [slice(first, first + MOST_FACES) for first in range(0, len(x), MOST_FACES)]
        encoded = zip(*(self.network.encode(x[part].to(self.encoder_type)) for part in parts), strict=True)
        features = (None if of[0] is None else torch.cat(of).to(self.prediction_type) for of in encoded)
        prediction = self.network.predict_codes(*features)
        lq_feature = prediction.lq_feature
        indices = prediction.logits.argmax(2)
        lq_features = (None if lq_feature is None else lq_feature[part] for part in parts)
        restored = (self.network.decode(indices[part], lq, s_lq) for part, lq in zip(parts, lq_features, strict=True))
        return prediction.mark(torch.cat([face.float() for face in restored]))


def _folded(module: nn.Module) -> nn.Module | None:
    """An Upsample with its kernel computed; None for other modules."""
    return module.folded() if isinstance(module, Upsample) else None
