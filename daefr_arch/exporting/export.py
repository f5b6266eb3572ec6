"""DAEFR -> ONNX: the model, what it says of itself, and the file that is only kept where it computes the same."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import DEFAULT_MODEL, load_network, located, manifest, read_provenance, weights_hash
from daefr_arch.choices import ONNX_LAYOUTS, ONNX_PRECISIONS
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.exporting.codeformer_layout import SIDE, to_codeformer_layout
from daefr_arch.exporting.exported_network import ExportedDAEFR
from daefr_arch.exporting.mixed_precision import to_mixed_precision
from daefr_arch.exporting.onnx_model import check_exporter, to_onnx
from daefr_arch.exporting.parity import LIMITS, Parity, falls_short, measure_parity
from daefr_arch.io.atomic_file import atomic_path
from daefr_arch.version import __version__

if TYPE_CHECKING:
    import onnx

UNKNOWN_LICENCE = 'not stated: that of the weights'


def daefr_to_onnx(network: DAEFR, properties: Mapping[str, str] | None = None) -> 'onnx.ModelProto':
    """The network as an ONNX model in float32: image (N, 3, R, R) and, with the control module, weight (1,) ->
    restored, code_index, as ExportedDAEFR has them. properties: what it says of itself beside its `describe`."""
    side = network.resolution
    inputs = {'image': torch.zeros(2, 3, side, side)}
    if network.lq_control is not None:
        inputs['weight'] = torch.ones(1)
    described = {**describe(network), **(properties or {})}
    return to_onnx(ExportedDAEFR(network).eval(), inputs, ('restored', 'code_index'), described)


def describe(network: DAEFR) -> dict[str, str]:
    """What an exported file needs to say of the network, whatever it was loaded from."""
    return {
        'layout': 'daefr',
        'precision': 'fp32',
        'resolution': str(network.resolution),
        'range': '[-1, 1]',
        'channel_order': 'RGB',
        'alignment': "FFHQ, facexlib's template of five landmarks",
        'weights_sha256': weights_hash(network.state_dict()),
        'daefr_arch_version': __version__,
    }


def describe_source(source: str | Path, *, offline: bool = False) -> dict[str, str]:
    """What is known of the file, or of the name in the manifest, that a network was loaded from."""
    entry = manifest().get(str(source))
    path = located(source, offline=offline)
    provenance = read_provenance(path)
    described = {'source': path.name, 'licence': entry.licence if entry else UNKNOWN_LICENCE}
    return described if provenance is None else {**described, 'provenance': json.dumps(provenance.as_dict())}


def change(model: 'onnx.ModelProto', *, precision: str, layout: str) -> None:
    """Changes a model of daefr_to_onnx in place into another of ONNX_PRECISIONS and of ONNX_LAYOUTS."""
    properties = {entry.key: entry for entry in model.metadata_props}
    if precision == 'mixed':
        to_mixed_precision(model)
    if layout == 'codeformer':
        to_codeformer_layout(model, int(properties['resolution'].value))
        properties['resolution'].value = str(SIDE)
    properties['precision'].value, properties['layout'].value = precision, layout


def export_daefr(
    path: str | Path,
    source: str | Path = DEFAULT_MODEL,
    *,
    faces: Callable[[int], Sequence[np.ndarray]],
    precision: str = 'fp32',
    layout: str = 'daefr',
    offline: bool = False,
) -> list[Parity]:
    """Writes a DAEFR as one ONNX file, whole or not at all, and only if it computes what PyTorch does.

    Args:
        path: the file; replaced if it is there.
        source: a checkpoint of any kind, or a name of the manifest.
        faces: side in pixels -> MOST_FACES degraded aligned faces (side, side, 3) BGR uint8 to compare on.
        precision: 'fp32', or 'mixed', as to_mixed_precision has it, at half the size.
        layout: 'daefr', or 'codeformer', as to_codeformer_layout has it.
        offline: download nothing.

    Returns:
        The parity of each of PASSES.

    Raises:
        UsageError: what an export needs is not installed.
        InputError: an unknown precision or layout, or a network that the layout does not allow.
        WeightsError: the checkpoint is missing, damaged or no DAEFR, or the file computes something else than PyTorch.
        OutputError: the file cannot be written.
    """
    check_exporter()
    for name, value, known in (('precision', precision, ONNX_PRECISIONS), ('layout', layout, ONNX_LAYOUTS)):
        if value not in known:
            raise InputError(f'{name}: expected one of {", ".join(known)}, got {value!r}')
    network = load_network(source, offline=offline)
    if not isinstance(network, DAEFR):
        raise WeightsError(f'{source}: expected a DAEFR, this is a {type(network).__name__}, which has no export')
    network.requires_grad_(False)
    model = daefr_to_onnx(network, describe_source(source, offline=offline))
    change(model, precision=precision, layout=layout)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        del model
        parities = measure_parity(temporary, network, faces(SIDE if layout == 'codeformer' else network.resolution))
        short = [parity for parity in parities if falls_short(parity, precision)]
        if short:
            limits = LIMITS[precision]
            raise WeightsError(
                f'{path} is not written: ONNX Runtime computes something else than PyTorch. Expected '
                f'{limits.code_agreement:.1%} of the codes and {limits.psnr:g} dB, got {short[0]}'
            )
    return parities
