"""What makes two runs give the same film: source, options, networks. All of it must be as it was to go on."""

import hashlib
from pathlib import Path
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from daefr_arch.version import __version__
from daefr_arch.video.encoding import Encoding
from daefr_arch.video.film_options import FilmOptions

if TYPE_CHECKING:
    from torch import nn

_SAMPLE = 1 << 20  # bytes at both ends of the source; with its size they tell films apart, and 50 GB are not read twice


def describe_run(source: Path, restorer: Any, options: FilmOptions, encoding: Encoding) -> dict[str, Any]:
    """What the run depends on, by name, for JSON."""
    described = {'version': __version__, 'source': _file_digest(source), 'encoding': repr(encoding)}
    described |= options.as_dict()
    described |= {f'restorer {name}': text for name, text in _parts(restorer)}
    return described


def describe_restorer(restorer: Any) -> dict[str, str]:
    """Settings and hashes of the networks of a restorer, by name."""
    return dict(_parts(restorer))


def _file_digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open('rb') as stream:
        digest.update(stream.read(_SAMPLE))
        stream.seek(max(0, size - _SAMPLE))
        digest.update(stream.read(_SAMPLE))
    return f'{size} bytes, {digest.hexdigest()[:16]}'


def _parts(item: Any, name: str = '', depth: int = 0) -> list[tuple[str, str]]:
    """Settings and networks within an object, by name."""
    if hasattr(item, 'state_dict'):
        return [(name, _network_digest(item))]
    if isinstance(item, bool | int | float | str | Path | None) or type(item).__module__ == 'torch':  # its devices
        return [(name, str(item))]
    if not hasattr(item, '__dict__') or depth > 3 or isinstance(item, type | FunctionType | MethodType):
        return [(name, type(item).__name__)]
    found = [(name, type(item).__name__)] if name else []
    for key, value in sorted(vars(item).items()):
        if not key.startswith('_') and key != 'last_reports':
            found += _parts(value, f'{name}.{key}'.lstrip('.'), depth + 1)
    return found


def _network_digest(network: 'nn.Module') -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
