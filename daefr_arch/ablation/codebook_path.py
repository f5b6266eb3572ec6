"""Reconstruction through one of the paths of Fig. 6: which encoder, which codebook and decoder."""

from torch import Tensor, nn

from daefr_arch.archs.codebook_arch import CodebookOutput, DAEFRCodebook

PATHS = ('hq', 'lq', 'hybrid')


class CodebookPath(nn.Module):
    """Encodes with one autoencoder, quantises and decodes with the same one or the other (appendix C, Fig. 6 to 9).

    forward: image batch (B, 3, R, R) in [-1, 1], RGB -> CodebookOutput.

    Args:
        path: 'hq' or 'lq', one autoencoder alone, or 'hybrid': LQ encoder, HQ codebook, HQ decoder.
        hq, lq: the autoencoders; those that the path does not need may be None.

    Raises ValueError for an unknown path, or where an autoencoder that the path needs is missing.
    """

    def __init__(self, path: str, hq: DAEFRCodebook | None = None, lq: DAEFRCodebook | None = None) -> None:
        super().__init__()
        if path not in PATHS:
            raise ValueError(f'expected path to be one of {PATHS}, got {path!r}')
        encoder, decoder = lq if path in ('lq', 'hybrid') else hq, lq if path == 'lq' else hq
        if encoder is None or decoder is None:
            raise ValueError(f'path {path!r} needs {"both autoencoders" if path == "hybrid" else path}')
        self.encoding, self.decoding = encoder, decoder
        self.resolution = encoder.resolution

    def forward(self, x: Tensor, s_lq: float | None = None) -> CodebookOutput:
        """`s_lq` is there for FaceNetwork and has no effect: a path has no control module."""
        feature = self.encoding.encode(x)
        quantized = self.decoding.codebook(feature)
        return CodebookOutput(self.decoding.decode(quantized.feature), feature, quantized.codes, quantized.indices)
