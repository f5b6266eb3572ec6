"""What the pixels of a job depend on: the first worker writes it down, and who comes later must agree."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from daefr_arch.choices import MAX_PIXELS
from daefr_arch.cluster.store import Store
from daefr_arch.errors import UsageError
from daefr_arch.version import __version__
from daefr_arch.video.fingerprint import describe_restorer

SETTINGS = 'settings.json'
# how a restorer computes, which may differ between the machines of a job
_MACHINE = {'device', 'batch_size', 'compile', 'memory_format', 'layout', 'shares_batches', 'offline'}

BuildRestorer = Callable[[], Any]  # makes a DAEFRRestorer; it goes to other machines, so it can be pickled


@dataclass(frozen=True)
class PhotoOptions:
    """How photos are restored, beside the restorer.

    weight, only_center_face, has_aligned: of DAEFRRestorer.enhance. extension: 'png', 'jpg', 'webp', or 'auto', the
    photo's own where it can be written and png otherwise. max_pixels: larger photos are an error.
    """

    weight: float | None = None
    only_center_face: bool = False
    has_aligned: bool = False
    extension: str = 'auto'
    max_pixels: int = MAX_PIXELS


def agree(store: Store, options: PhotoOptions, restorer: Any) -> None:
    """Writes down the options and the restorer, with the hashes of its networks, or compares them with what is there.

    Raises:
        UsageError: they differ; the message says in what.
    """
    ours = _described(options, restorer)
    if store.create(SETTINGS, json.dumps(ours, indent=2, sort_keys=True).encode() + b'\n'):
        return
    theirs = json.loads(store.read(SETTINGS) or b'{}')
    changed = differences(theirs, ours)
    if changed:
        raise UsageError(
            f'{store.address}: photos of this job are restored with other options or another model: '
            f'{"; ".join(changed)}. Take those again, or another --output'
        )


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """As `upscale was 2, is 4`."""
    names = sorted({*theirs, *ours})
    return [
        f'{name} was {theirs.get(name, "not there")}, is {ours.get(name, "not there")}'
        for name in names
        if theirs.get(name) != ours.get(name)
    ]


def _described(options: PhotoOptions, restorer: Any) -> dict[str, str]:
    described = {name: str(value) for name, value in asdict(options).items()}
    parts = describe_restorer(restorer).items()
    described |= {f'restorer.{name}': text for name, text in parts if not _MACHINE & set(name.split('.'))}
    return {**described, 'daefr_arch': __version__}
