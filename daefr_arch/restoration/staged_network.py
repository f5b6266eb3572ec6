"""DAEFR with each stage in its own precision, by the types of its weights: no casts around every operation."""

import copy

import torch
from torch import Tensor

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.kernels import keep_compiled_kernels
from daefr_arch.restoration.precision import StagePrecisions, allow_tf32, type_of

# the parts of DAEFR whose weights take a reduced precision; the LQ codebook, which is searched, stays in float32
_ENCODERS = ('hq_encoder', 'hq_quant_conv', 'lq_encoder', 'lq_quant_conv')
_CODE_PREDICTION = ('fusion', 'feat_embedding', 'transformer', 'code_head')
_DECODER = ('codebook', 'lq_control', 'post_quant_conv', 'decoder')


class StagedNetwork:
    """Computes faces (B, 3, R, R) float32 -> restored faces, the same, RGB in [-1, 1].

    Parts in float32 are shared with `network`, others are copies of theirs. `network` must be on its device. compile:
    by torch.compile, at the first call with each shape; what it made is kept in the cache folder.
    """

    def __init__(self, network: DAEFR, precisions: StagePrecisions, *, compile: bool = False) -> None:
        self.encoder_type, self.prediction_type, decoder_type = map(type_of, precisions)
        self.tf32 = 'tf32' in precisions
        self.network = copy.copy(network)
        self.network._modules = dict(network._modules)
        for parts, dtype in (
            (_ENCODERS, self.encoder_type),
            (_CODE_PREDICTION, self.prediction_type),
            (_DECODER, decoder_type),
        ):
            for part in parts:
                module = network._modules.get(part)
                if module is not None and dtype != torch.float32:
                    self.network._modules[part] = copy.deepcopy(module).to(dtype)
        self._compute = self._forward
        if compile:
            keep_compiled_kernels()
            self._compute = torch.compile(self._forward, dynamic=False)

    def __call__(self, x: Tensor, s_lq: float | None) -> Tensor:
        allow_tf32(self.tf32, x.device)
        return self._compute(x, s_lq)

    def _forward(self, x: Tensor, s_lq: float | None) -> Tensor:
        features = self.network.encode(x.to(self.encoder_type))
        prediction = self.network.predict_codes(*(None if f is None else f.to(self.prediction_type) for f in features))
        return self.network.decode(prediction.logits.argmax(2), prediction.lq_feature, s_lq).float()
