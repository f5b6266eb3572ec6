"""Loading and writing networks: official, BasicSR and safetensors files alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from daefr_arch.checkpoints.foreign_files import weight_file
from daefr_arch.checkpoints.network_options import checked_options
from daefr_arch.checkpoints.network_size import no_larger_than
from daefr_arch.checkpoints.official_layout import (
    check_state_dict,
    convert_official,
    create_network,
    infer_options,
    is_official,
)
from daefr_arch.checkpoints.provenance import Domain, Provenance, check_domain, warn_of_unknown_origin
from daefr_arch.checkpoints.safetensors_file import is_safetensors, read_metadata, read_safetensors, write_safetensors
from daefr_arch.checkpoints.state_dict import StateDict, checked_state_dict
from daefr_arch.checkpoints.torch_file import objects_of_torch_file, read_torch_file
from daefr_arch.downloads import fetch, manifest
from daefr_arch.errors import WeightsError

DEFAULT_MODEL = 'daefr-lite'
_BASICSR_KEYS = ('params_ema', 'params', 'state_dict')  # the first that the file has is read


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: a state dict, and what the file says of it, as ours do.

    Attributes:
        state_dict: finite numbers of an ordinary type by key, on the CPU.
        options: of the network, as build_network takes them.
        provenance: where the network comes from.
    """

    state_dict: StateDict
    options: dict[str, Any] | None
    provenance: Provenance | None = None


def read_checkpoint(path: str | Path, *, param_key: str | None = None) -> Checkpoint:
    """Reads safetensors, BasicSR's .pth (params_ema before params) or a Lightning .ckpt, on the CPU.

    What a file is, is told by how it begins. `module.` and `_orig_mod.` before the keys are left out.

    `param_key`: params or params_ema of a .pth that has several; where it has not, params is taken, as by BasicSR.

    Raises WeightsError for a missing or damaged file, for one without tensors or with numbers that are no weights (see
    checked_state_dict), and for a pickle that needs more than `weights_only=True` allows.
    """
    return _read(weight_file(path), (), param_key)


def read_ignoring_objects(path: str | Path) -> Checkpoint:
    """Like read_checkpoint for a pickle with objects (of a trainer, say).

    Each becomes an empty placeholder whose class is ours, so that no code of the file's choice runs.
    """
    path = weight_file(path)
    return _read(path, [(_placeholder(name), name) for name in objects_of_torch_file(path)], None)


def read_networks(path: str | Path) -> dict[str, StateDict]:
    """`params` and, where the file has it, `params_ema` of a .pth that a training has saved.

    Raises WeightsError as read_checkpoint does.
    """
    path = weight_file(path)
    content = read_torch_file(path)
    with naming(path):
        if not isinstance(content, Mapping) or 'params' not in content:
            raise WeightsError('expected a checkpoint of a training, with params')
        size = path.stat().st_size
        return {key: checked_state_dict(content[key], file_size=size) for key in _BASICSR_KEYS[:2] if key in content}


def read_provenance(path: str | Path) -> Provenance | None:
    """What a file says of itself, None where it does not. Raises WeightsError as read_checkpoint does."""
    path = weight_file(path)
    content = read_metadata(path) if is_safetensors(path) else read_torch_file(path)
    with naming(path):
        return Provenance.read(content.get('provenance') if isinstance(content, Mapping) else None)


class _Ignored:
    """Stands in for an object of a checkpoint that is no tensor; takes any state and does nothing with it."""

    def __init__(self, *args: object) -> None:
        del args

    def __setstate__(self, state: object) -> None:
        del state


def _placeholder(name: str) -> type:
    """A class of its own a name, because PyTorch keeps its allowed classes by class."""
    return type(name.replace('.', '_'), (_Ignored,), {})


def _read(path: Path, allowed: Any, param_key: str | None) -> Checkpoint:
    words: Mapping[str, Any]
    if is_safetensors(path):
        tensors, words = read_safetensors(path)
    else:
        tensors, words = _of_torch_file(read_torch_file(path, allowed=allowed), param_key)
    with naming(path):
        state_dict = checked_state_dict(tensors, file_size=path.stat().st_size)
        options = words.get('network')
        return Checkpoint(
            state_dict,
            None if options is None else checked_options(options),
            Provenance.read(words.get('provenance')),
        )


def _of_torch_file(content: Any, param_key: str | None) -> tuple[Any, Mapping[str, Any]]:
    """The state dict, and what stands beside it."""
    if isinstance(content, Mapping):
        keys = (param_key, 'params') if param_key else _BASICSR_KEYS
        for key in (*keys, *_BASICSR_KEYS):
            if key in content:
                return content[key], content
    return content, {}


def load_part(
    path: str | Path,
    part: str,
    resolution: int | None = None,
    *,
    param_key: str | None = None,
    domain: Domain | None = None,
) -> Checkpoint:
    """The state dict of one part in our layout, from a file of any kind.

    Args:
        path: the file.
        part: a name that convert_official gives for official files, such as 'hq_codebook' or 'daefr'. An official file
            of stage 1 does not say whose path it holds: it is taken for either. A file in our layout holds one network
            and is taken as it is.
        resolution: as in infer_options.
        param_key: as in read_checkpoint.
        domain: what a file of ours must be of, if it says so; None: either.

    Raises WeightsError if an official file holds no such part, or keys that are not its kind's, or where a file of ours
    is of the other domain.
    """
    checkpoint = read_checkpoint(path, param_key=param_key)
    if not is_official(checkpoint.state_dict):
        if checkpoint.provenance is None:
            warn_of_unknown_origin(Path(path))
        check_domain(Path(path), checkpoint.provenance, domain)
        return checkpoint
    with naming(path):
        parts = convert_official(checkpoint.state_dict, resolution)
    name = part if part in parts else part.removeprefix('hq_').removeprefix('lq_')
    if name not in parts:
        raise WeightsError(f'{path}: expected an official file with the part {part!r}, this one holds {list(parts)}')
    return Checkpoint(parts[name], None)


def located(source: str | Path, *, offline: bool = False) -> Path:
    """The file that `source` is, or that is meant by a name in the manifest. Raises WeightsError as `fetch` does."""
    return fetch(str(source), offline=offline) if str(source) in manifest() else Path(source)


def load_network(
    source: str | Path = DEFAULT_MODEL, *, offline: bool = False, part: str = 'daefr', domain: Domain | None = None
) -> nn.Module:
    """The network of a file, or of a name in the manifest, in float32, in eval mode, on the CPU.

    Its options come from the file or, where it states none, from the tensors. `part`, `domain`: as in load_part. Raises
    WeightsError where the file is missing, damaged or of another kind.
    """
    path = located(source, offline=offline)
    checkpoint = load_part(path, part, domain=domain)
    with naming(path), no_larger_than(checkpoint.state_dict):
        options = checkpoint.options or infer_options(checkpoint.state_dict)
        check_state_dict(checkpoint.state_dict, options)
        network = create_network(options).float()  # whatever the default type is
    network.load_state_dict(checkpoint.state_dict)
    return network.eval()


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Puts the file before the message of a WeightsError that does not name it."""
    try:
        yield
    except WeightsError as error:
        if str(path) in str(error):
            raise
        raise WeightsError(f'{path}: {error}') from error


def save_network(
    path: str | Path,
    state_dict: Mapping[str, Tensor],
    options: Mapping[str, Any],
    dtype: torch.dtype | None = None,
    *,
    provenance: Provenance | None = None,
) -> None:
    """Writes safetensors that load_network needs nothing else for: options and provenance are in the metadata.

    Floating-point tensors are stored as `dtype`, if given. The file appears whole or not at all. Raises OutputError
    where it cannot be written.
    """
    words: dict[str, Any] = {'network': dict(options)}
    if provenance is not None:
        words['provenance'] = provenance.as_dict()
    write_safetensors(Path(path), state_dict, words, dtype)
