"""What a checkpoint says of itself: which stage made it, of which domain, and from what."""

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from daefr_arch.checkpoints.foreign_files import printable
from daefr_arch.errors import WeightsError
from daefr_arch.version import __version__

_logger = logging.getLogger(__name__)

Domain = Literal['hq', 'lq']


@dataclass(frozen=True)
class Provenance:
    """Where a network comes from.

    Attributes:
        stage: which training made it: codebook, association, restoration, control, evidence, harmoniser, or the name
            of another model.
        domain: of an autoencoder and its discriminator; None of a network that has both paths, or none.
        iteration: of its training; None where it is not known.
        version: of this package.
        started_from: label of a network -> weights_hash of what that began with, as {'hq': '3f...', 'lq': '81...'}.
        perceptual_backbone: what the perceptual loss compared features of; None without such a loss.
    """

    stage: str
    domain: Domain | None = None
    iteration: int | None = None
    version: str = __version__
    started_from: dict[str, str] = field(default_factory=dict)
    perceptual_backbone: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def read(cls, value: Any) -> 'Provenance | None':
        """From what a file holds; None stays None.

        Raises:
            WeightsError: it is none.
        """
        if value is None:
            return None
        try:
            return _reader().validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]
            place, words = '.'.join(map(str, problem['loc'])), problem['msg']
            raise WeightsError(f'its provenance: {printable(f"{place}: {words}")}') from error

    def __str__(self) -> str:
        domain = f'{self.domain.upper()}, ' if self.domain else ''
        iteration = '' if self.iteration is None else f', iteration {self.iteration}'
        return f'{domain}stage {printable(self.stage, 60)}{iteration}'


@cache
def _reader() -> TypeAdapter[Provenance]:
    return TypeAdapter(Provenance)


def weights_hash(state_dict: Mapping[str, Tensor]) -> str:
    """SHA-256 of keys, shapes and numbers in half precision: a copy in another format or precision has the same."""
    digest = hashlib.sha256()
    for key in sorted(state_dict):
        value = state_dict[key].detach().cpu()
        value = value.half() if value.is_floating_point() else value
        digest.update(f'{key} {tuple(value.shape)} '.encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data if value.numel() else b'')
    return digest.hexdigest()


def official_provenance(part: str, parts: Collection[str]) -> Provenance:
    """What is known of a part of an official file, which holds `parts`: names as convert_official gives them."""
    domain: Domain | None = 'hq' if part.startswith('hq_') else 'lq' if part.startswith('lq_') else None
    if part == 'daefr':
        return Provenance('restoration')
    return Provenance('association' if 'lq_codebook' in parts else 'codebook', domain)


@cache
def warn_of_unknown_origin(path: Path) -> None:
    """Says once that a file of ours does not know what it is."""
    _logger.warning(
        '%s does not say which stage or domain it is of (it was written before checkpoints did): taken for what was '
        'asked for',
        path,
    )


def check_domain(path: Path, provenance: Provenance | None, domain: Domain | None) -> None:
    """Raises WeightsError where a file says that it is of the other domain than `domain`, if one is asked for."""
    if provenance and domain and provenance.domain not in (None, domain):
        raise WeightsError(f'expected a network of the {domain.upper()} domain, {path} holds another: {provenance}')
