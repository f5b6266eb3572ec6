"""The three ways from an image through codes to an image: HQ path, LQ path and hybrid path (Fig. 6)."""

from torch import Tensor, nn

from daefr_arch.archs.codebook_arch import CodebookOutput, DAEFRCodebook
from daefr_arch.choices import CODEBOOK_PATHS
from daefr_arch.errors import InputError


class CodebookPath(nn.Module):
    """One path of Fig. 6: an encoder, the nearest codes of a codebook, and that codebook's decoder.

    forward: image batch (B, 3, R, R) in [-1, 1], RGB -> CodebookOutput, the reconstruction first, so that
    restoration.face_network.FaceNetwork can run it.

    Args:
        path: 'hq' (HQ encoder, HQ codebook, HQ decoder), 'lq' (all of them LQ) or 'hybrid' (LQ encoder, HQ codebook,
            HQ decoder).
        hq: autoencoder of the HQ domain; not needed by the LQ path.
        lq: autoencoder of the LQ domain; not needed by the HQ path.

    The autoencoders are used as they are, not copied. Raises InputError for an unknown path, an autoencoder that the
    path needs and that is missing or none, and an encoder whose features do not fit the codebook.
    """

    def __init__(self, path: str, hq: DAEFRCodebook | None = None, lq: DAEFRCodebook | None = None) -> None:
        super().__init__()
        if path not in CODEBOOK_PATHS:
            raise InputError(f'path: expected one of {", ".join(CODEBOOK_PATHS)}, got {path!r}')
        self.path = path
        given = {'hq': hq, 'lq': lq}
        self.encoding, self.decoding = (_required(path, domain, given[domain]) for domain in CODEBOOK_PATHS[path])
        check_fit(self.encoding, self.decoding)

    @property
    def resolution(self) -> int:
        """Side R of the images in pixels."""
        return self.encoding.resolution

    @property
    def codebook_size(self) -> int:
        """Number N of codes."""
        return self.decoding.codebook.embedding.num_embeddings

    def forward(self, x: Tensor, s_lq: float | None = None) -> CodebookOutput:
        """See the class. `s_lq`, the scale of DAEFR's control module, has no meaning here and is ignored."""
        del s_lq
        feature = self.encoding.encode(x)
        quantized = self.decoding.codebook(feature)
        reconstruction = self.decoding.decode(quantized.straight_through)
        return CodebookOutput(reconstruction, feature, quantized.codes, quantized.indices)


def _required(path: str, domain: str, autoencoder: DAEFRCodebook | None) -> DAEFRCodebook:
    if not isinstance(autoencoder, DAEFRCodebook):
        came = 'none' if autoencoder is None else type(autoencoder).__name__
        raise InputError(f'the path {path!r} needs the {domain.upper()} autoencoder, a DAEFRCodebook; got {came}')
    return autoencoder


def check_fit(first: DAEFRCodebook, second: DAEFRCodebook) -> None:
    """Raises InputError unless both take images of one size and have features of one shape (d, r, r)."""
    shapes = [(net.resolution, net.codebook.embedding.embedding_dim, latent_size(net)) for net in (first, second)]
    if shapes[0] != shapes[1]:
        described = ' and '.join(f'{size} px images with {d}x{r}x{r} features' for size, d, r in shapes)
        raise InputError(f'the two autoencoders do not fit each other: {described}')


def latent_size(autoencoder: DAEFRCodebook) -> int:
    """Side r of the features."""
    return autoencoder.resolution >> (len(autoencoder.encoder.down) - 1)
