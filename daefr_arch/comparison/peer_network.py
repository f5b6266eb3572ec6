"""CodeFormer, GFPGAN and RestoreFormer behind the interface of our network, read through spandrel.

Only spandrel's networks are used. Its descriptors' own call leaves out the normalisation to [-1, 1] of CodeFormer and
GFPGAN, clamps to [0, 1], and cannot pass CodeFormer's fidelity.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from daefr_arch.checkpoints import foreign_file, no_larger_than, printable
from daefr_arch.choices import FIDELITY
from daefr_arch.errors import InputError, UsageError, WeightsError

RESOLUTION = 512  # of every one of them
NOISE_SEED = 0
_WRAPPED = 'vqvae.'  # RestoreFormer's own checkpoint: the network, beside the training's losses


def _codeformer(network: nn.Module, x: Tensor, fidelity: float) -> Tensor:
    """inference_codeformer.py: `net(x, w=w, adain=True)[0]`; spandrel's network always has adain."""
    return network(x, weight=fidelity)[0]


def _gfpgan(network: nn.Module, x: Tensor, fidelity: float) -> Tensor:
    """GFPGANer.enhance: `gfpgan(x, return_rgb=False)[0]`; the noise of StyleGAN2 is seeded so that runs repeat."""
    del fidelity
    with torch.random.fork_rng():
        torch.manual_seed(NOISE_SEED)
        return network(x, return_rgb=False)[0]


def _restoreformer(network: nn.Module, x: Tensor, fidelity: float) -> Tensor:
    """GFPGANer.enhance for RestoreFormer, and RestoreFormer's own inference: the network's first output."""
    del fidelity
    return network(x)[0]


# spandrel's name of the architecture -> call of the network
PEERS: dict[str, Callable[[nn.Module, Tensor, float], Tensor]] = {
    'CodeFormer': _codeformer,
    'GFPGAN': _gfpgan,
    'RestoreFormer': _restoreformer,
}


class PeerNetwork(nn.Module):
    """A peer's network, called as its authors' inference script calls it.

    Args:
        architecture: a key of PEERS.
        network: spandrel's module of that architecture.
        fidelity: CodeFormer's w in [0, 1]; the others have none.
    """

    resolution = RESOLUTION
    memory_format = torch.contiguous_format  # the peers' own: GFPGAN has no other

    def __init__(self, architecture: str, network: nn.Module, *, fidelity: float = FIDELITY) -> None:
        super().__init__()
        if not 0 <= fidelity <= 1:
            raise InputError(f'fidelity: expected a number between 0 and 1, got {fidelity}')
        self.architecture = architecture
        self.network = network
        self.fidelity = fidelity

    def forward(self, x: Tensor, s_lq: float | None = None) -> tuple[Tensor]:
        """Faces (B, 3, 512, 512), RGB in [-1, 1] -> the restored ones, not clamped. `s_lq` is DAEFR's: unused."""
        del s_lq
        return (PEERS[self.architecture](self.network, x, self.fidelity),)


def load_peer(state_dict: Mapping[str, Tensor], path: str | Path, *, fidelity: float = FIDELITY) -> PeerNetwork:
    """The peer whose weights these are; `path` only names them in errors.

    Raises:
        UsageError: spandrel is not installed.
        WeightsError: of no peer, or of a network that spandrel builds otherwise.
    """
    try:
        from spandrel import MAIN_REGISTRY, UnsupportedModelError, canonicalize_state_dict
        from spandrel_extra_arches import EXTRA_REGISTRY
    except ImportError as error:
        raise UsageError(f"{path}: peers need spandrel: pip install 'daefr_arch[compare]' ({error})") from error

    inner = {key.removeprefix(_WRAPPED): value for key, value in state_dict.items() if key.startswith(_WRAPPED)}
    architectures = [support.architecture for registry in (MAIN_REGISTRY, EXTRA_REGISTRY) for support in registry]
    with foreign_file(path, f'weights of DAEFR, {", ".join(PEERS)}'):
        weights = canonicalize_state_dict(inner or dict(state_dict))
        found = next((a for a in architectures if a.id in PEERS and a.detect(weights)), None)
    if found is None:
        raise WeightsError(f'{path}: expected weights of DAEFR, {", ".join(PEERS)}, got {_some(weights)}')
    with foreign_file(path, f'weights that fit {found.id}', UnsupportedModelError), no_larger_than(weights):
        network = found.load(weights).model
    return PeerNetwork(str(found.id), network, fidelity=fidelity)


def _some(weights: Mapping[str, Tensor]) -> str:
    return f'{len(weights)} tensors, such as {printable(", ".join(list(weights)[:3]))}'
