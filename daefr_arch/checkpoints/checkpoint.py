"""Loading and writing networks: official, BasicSR and safetensors files alike."""

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from daefr_arch.checkpoints.checksums import check_checksums
from daefr_arch.checkpoints.downloads import fetch, manifest
from daefr_arch.checkpoints.official_layout import (
    StateDict,
    check_state_dict,
    convert_official,
    create_network,
    infer_options,
    is_official,
)
from daefr_arch.errors import WeightsError
from daefr_arch.io.atomic_file import atomic_path, make_folder

DEFAULT_MODEL = 'daefr-lite'
_BASICSR_KEYS = ('params_ema', 'params', 'state_dict')  # the first that the file has is read


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: a state dict, and the network's options if the file states them (ours do)."""

    state_dict: StateDict
    options: dict[str, Any] | None


def read_checkpoint(path: str | Path, *, param_key: str | None = None) -> Checkpoint:
    """Reads .safetensors, BasicSR's .pth (params_ema before params) or a Lightning .ckpt, on the CPU.

    `param_key`: params or params_ema of a .pth that has several; where it has not, params is taken, as by BasicSR.

    Raises WeightsError for a missing or damaged file, for one without tensors, and for a pickle that needs more than
    `weights_only=True` allows.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f'no weight file at {path}')
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    return Checkpoint(_tensors(path, _read_pickle(path), param_key), None)


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework='pt') as file:
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a mapping
            options = (file.metadata() or {}).get('network')
    except (SafetensorError, OSError) as error:
        raise WeightsError(f'{path} is damaged or no safetensors file: {error}') from error
    return Checkpoint(state_dict, json.loads(options) if options else None)


def _read_pickle(path: Path) -> Any:
    check_checksums(path)
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        with path.open('rb') as stream:
            is_pickle = stream.read(2) in (b'PK', b'\x80\x02')
        if not is_pickle:
            raise WeightsError(f'{path} is damaged or no PyTorch file: {error}') from error
        raise WeightsError(
            f'{path} holds more than tensors, and unpickling that could run any code: refused. If it is an official '
            f'checkpoint, `daefr convert {path} OUTPUT.safetensors --ignore-objects` reads its tensors and leaves the '
            f'rest out without running it. ({str(error).splitlines()[0]})'
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise WeightsError(f'{path} is damaged or no PyTorch file: {error}') from error


class _Ignored:
    """Stands in for an object of a checkpoint that is no tensor; takes any state and does nothing with it."""

    def __init__(self, *args: object) -> None:
        del args

    def __setstate__(self, state: object) -> None:
        del state


def read_ignoring_objects(path: str | Path) -> Checkpoint:
    """Like read_checkpoint for a pickle with objects (of a trainer, say).

    Each becomes an empty placeholder whose class is ours, so that no code of the file's choice runs.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f'no weight file at {path}')
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(f'{path} is damaged or too old a PyTorch file (before 1.6): {error}') from error
    with torch.serialization.safe_globals([(_placeholder(name), name) for name in names]):
        return read_checkpoint(path)


def _placeholder(name: str) -> type:
    """A class of its own a name, because PyTorch keeps its allowed classes by class."""
    return type(name.replace('.', '_'), (_Ignored,), {})


def _tensors(path: Path, content: Any, param_key: str | None) -> StateDict:
    if isinstance(content, Mapping):
        keys = (param_key, 'params') if param_key else _BASICSR_KEYS
        content = next((content[key] for key in (*keys, *_BASICSR_KEYS) if key in content), content)
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(f'{path}: expected a state dict, under one of {", ".join(_BASICSR_KEYS)} or at the top')
    return dict(content)


def load_part(
    path: str | Path, part: str, resolution: int | None = None, *, param_key: str | None = None
) -> Checkpoint:
    """The state dict of one part in our layout, from a file of any kind.

    Args:
        path: the file.
        part: a name that convert_official gives for official files, such as 'hq_codebook' or 'daefr'. An official file
            of stage 1 does not say whose path it holds: it is taken for either. A file in our layout holds one network
            and is taken as it is.
        resolution: as in infer_options.
        param_key: as in read_checkpoint.

    Raises WeightsError if an official file holds no such part, or keys that are not its kind's.
    """
    checkpoint = read_checkpoint(path, param_key=param_key)
    if not is_official(checkpoint.state_dict):
        return checkpoint
    with _naming(path):
        parts = convert_official(checkpoint.state_dict, resolution)
    name = part if part in parts else part.removeprefix('hq_').removeprefix('lq_')
    if name not in parts:
        raise WeightsError(f'{path}: expected an official file with the part {part!r}, this one holds {list(parts)}')
    return Checkpoint(parts[name], None)


def load_network(source: str | Path = DEFAULT_MODEL, *, offline: bool = False, part: str = 'daefr') -> nn.Module:
    """The network of a file, or of a name in the manifest, in float32, in eval mode, on the CPU.

    Its options come from the file's metadata or, without them, from the tensors. Raises WeightsError where the file is
    missing, damaged or of another kind.
    """
    path = fetch(str(source), offline=offline) if str(source) in manifest() else Path(source)
    checkpoint = load_part(path, part)
    with _naming(path):
        options = checkpoint.options or infer_options(checkpoint.state_dict)
        check_state_dict(checkpoint.state_dict, options)
    network = create_network(options).float()  # whatever the default type is
    network.load_state_dict(checkpoint.state_dict)
    return network.eval()


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Puts the file before the message of a WeightsError about its keys."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f'{path}: {error}') from error


def save_network(
    path: str | Path, state_dict: Mapping[str, Tensor], options: Mapping[str, Any], dtype: torch.dtype | None = None
) -> None:
    """Writes safetensors that load_network needs nothing else for: the options are in the metadata.

    Floating-point tensors are stored as `dtype`, if given. The file appears whole or not at all. Raises OutputError
    where it cannot be written.
    """
    path = Path(path)
    tensors = {
        key: value.detach().to('cpu', dtype if value.is_floating_point() else None).contiguous()
        for key, value in state_dict.items()
    }
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={'network': json.dumps(dict(options))})
        temporary.chmod(0o644)  # safetensors creates files that only their owner can read
