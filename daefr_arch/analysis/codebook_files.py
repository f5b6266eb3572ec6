"""The networks of the ablations from checkpoints of any kind."""

from pathlib import Path

from torch import Tensor, nn

from daefr_arch.analysis.codebook_path import check_fit
from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import Domain, convert_official, is_official, load_network, read_checkpoint
from daefr_arch.errors import WeightsError

DAEFR_ENCODERS = ('hq_encoder', 'hq_quant_conv', 'lq_encoder', 'lq_quant_conv')


def load_autoencoder(path: str | Path, domain: Domain) -> DAEFRCodebook:
    """The autoencoder of a domain, 'hq' or 'lq', in float32, in eval mode, on the CPU.

    Args:
        path: a checkpoint of ours of stage 1 or 2 (.pth, .safetensors), or an official one: of stage 1, of the
            association, which holds both domains, or of DAEFR, which holds the HQ autoencoder of stage 1.
        domain: which autoencoder of an official file; what one of ours must be of.

    Raises WeightsError for a missing or damaged file, one without this autoencoder, or one of the other domain.
    """
    network = load_network(_file(path), part=f'{domain}_codebook', domain=domain)
    if not isinstance(network, DAEFRCodebook):
        raise WeightsError(
            f'{path} holds a {type(network).__name__}: expected an autoencoder of stage 1 or 2 (DAEFRCodebook)'
        )
    return network


def _file(path: str | Path) -> Path:
    """The path as load_network cannot mistake it for a name of the manifest, which it would download."""
    return Path(path).absolute()


class EncoderPair(nn.Module):
    """The encoders of both domains, for their association.

    forward: clean faces and the same faces degraded, (B, 3, R, R) each in [-1, 1], RGB -> their features Z_h and Z_l,
    not quantised, (B, d, r, r) each.
    """

    def __init__(self, hq: nn.Module, lq: nn.Module, resolution: int) -> None:
        super().__init__()
        self.hq, self.lq, self.resolution = hq, lq, resolution

    def forward(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
        return self.hq(clean), self.lq(degraded)


def load_encoder_pair(hq_file: str | Path, lq_file: str | Path | None = None) -> EncoderPair:
    """The encoders of two autoencoders, or of one file that holds both, in eval mode, on the CPU.

    Args:
        hq_file: HQ autoencoder, as load_autoencoder takes it; or an official association file, or a DAEFR of ours or
            an official one, whose associated encoders are taken.
        lq_file: LQ autoencoder; None where `hq_file` holds both encoders.

    Raises WeightsError for a missing or damaged file or one without these encoders, InputError where the encoders do
    not fit each other.
    """
    if lq_file is None:
        state_dict = read_checkpoint(hq_file).state_dict
        if is_official(state_dict) and 'lq_codebook' in convert_official(state_dict):
            lq_file = hq_file
    if lq_file is None:
        network = load_network(_file(hq_file))
        modules = [getattr(network, name, None) for name in DAEFR_ENCODERS]
        present = [module for module in modules if isinstance(module, nn.Module)]
        if not isinstance(network, DAEFR) or len(present) < len(modules):
            raise WeightsError(f'{hq_file} does not hold the encoders of both domains: name the LQ file too')
        return EncoderPair(nn.Sequential(*present[:2]), nn.Sequential(*present[2:]), network.resolution)
    autoencoders = load_autoencoder(hq_file, 'hq'), load_autoencoder(lq_file, 'lq')
    check_fit(*autoencoders)
    hq, lq = (nn.Sequential(autoencoder.encoder, autoencoder.quant_conv) for autoencoder in autoencoders)
    return EncoderPair(hq, lq, autoencoders[0].resolution)
