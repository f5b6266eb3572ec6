"""The graphs of the networks that are part of the project, beside their weights: `make graphs` writes them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn

from daefr_arch import checkpoints
from daefr_arch.archs.bands import MAPS
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.choices import DETECTOR_NETWORKS, EMBEDDED_DETECTOR
from daefr_arch.exporting.exported_network import ExportedDAEFR
from daefr_arch.exporting.linked_weights import link_weights
from daefr_arch.exporting.onnx_model import to_onnx
from daefr_arch.faces.band_fusion import FusedChange
from daefr_arch.faces.fusion import SIDE
from daefr_arch.faces.torch_retinaface import PicturesRetinaFace
from daefr_arch.io.atomic_file import write_bytes

if TYPE_CHECKING:
    import onnx


class _Shipped(NamedTuple):
    """How a network is exported: the module, its inputs by name, the names of its outputs."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    any_side: bool = False


class _NamedWeights(nn.Module):
    """A FusedChange with an input a map: the exporter knows no `*weights` of a dynamic batch."""

    def __init__(self, fused_change: FusedChange) -> None:
        super().__init__()
        self.fused_change = fused_change

    def forward(
        self,
        photo: Tensor,
        network: Tensor,
        strength: Tensor,
        weight_0: Tensor,
        weight_1: Tensor,
        weight_2: Tensor,
        weight_3: Tensor,
        weight_4: Tensor,
        weight_5: Tensor,
    ) -> Tensor:
        weights = weight_0, weight_1, weight_2, weight_3, weight_4, weight_5
        return self.fused_change(photo, network, strength, *weights)


def _network() -> _Shipped:
    network = cast(DAEFR, checkpoints.load_network('daefr-lite', offline=True))
    image = torch.zeros(2, 3, network.resolution, network.resolution)
    return _Shipped(ExportedDAEFR(network), {'image': image}, ('restored', 'code_index'))


def _evidence() -> _Shipped:
    network = checkpoints.load_network('daefr-evidence', offline=True)
    outputs = tuple(f'log_ratio_{level}' for level in range(MAPS))
    return _Shipped(network, {'photo': torch.zeros(2, 3, SIDE, SIDE)}, outputs)


def _fused_change() -> _Shipped:
    network = _NamedWeights(FusedChange(checkpoints.load_network('daefr-harmoniser', offline=True)))
    photo, face = torch.zeros(2, 2, 3, SIDE, SIDE).unbind()  # two: the exporter takes the same tensor for one input
    sides = [SIDE // 2 ** max(1, level) for level in range(MAPS)]
    weights = {f'weight_{level}': torch.zeros(2, 2, side, side) for level, side in enumerate(sides)}
    return _Shipped(network, {'photo': photo, 'network': face, 'strength': torch.tensor(1.0), **weights}, ('change',))


def _detector() -> _Shipped:
    state = checkpoints.read_checkpoint(checkpoints.fetch(EMBEDDED_DETECTOR, offline=True)).state_dict
    network = PicturesRetinaFace.of(DETECTOR_NETWORKS[EMBEDDED_DETECTOR], state)
    pictures = torch.zeros(2, 96, 128, 3, dtype=torch.uint8)
    return _Shipped(network, {'pictures': pictures}, ('offsets', 'scores', 'landmarks'), any_side=True)


SHIPPED: dict[str, Callable[[], _Shipped]] = {
    'daefr-lite': _network,
    'daefr-evidence': _evidence,
    'daefr-harmoniser': _fused_change,
    EMBEDDED_DETECTOR: _detector,
}


def build_graph(name: str) -> 'onnx.ModelProto':
    """The graph of one of SHIPPED, with references to its weights."""
    entry = checkpoints.manifest()[name]
    shipped = SHIPPED[name]()
    properties = {'name': name, 'licence': entry.licence, 'precision': 'fp32'}
    module = shipped.module.eval().requires_grad_(False)
    model = to_onnx(module, shipped.inputs, shipped.outputs, properties, any_side=shipped.any_side)
    link_weights(model, checkpoints.fetch(name, offline=True))
    return model


def write_graphs(names: Sequence[str] = tuple(SHIPPED)) -> list[Path]:
    """Writes the graphs of these of SHIPPED beside their weights."""
    written = []
    for name in names:
        path = checkpoints.fetch(name, offline=True).with_suffix('.onnx')
        write_bytes(path, build_graph(name).SerializeToString())
        written.append(path)
    return written


if __name__ == '__main__':
    write_graphs(sys.argv[1:] or tuple(SHIPPED))
