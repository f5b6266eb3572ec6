"""What a stage may start from, by what checkpoints say of themselves: checked before anything is created."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daefr_arch.checkpoints import Domain, Provenance, read_provenance
from daefr_arch.errors import WeightsError


@dataclass(frozen=True)
class Start:
    """What network_<label> may start from.

    Attributes:
        stages: that may have made the checkpoint; none: any.
        domain: of the checkpoint; None: either.
    """

    stages: tuple[str, ...] = ()
    domain: Domain | None = None

    def allows(self, provenance: Provenance) -> bool:
        """Whether a checkpoint that says this of itself is one."""
        return (not self.stages or provenance.stage in self.stages) and (
            self.domain is None or provenance.domain in (None, self.domain)
        )

    def __str__(self) -> str:
        domain = f'{self.domain.upper()}, ' if self.domain else ''
        return f'{domain}stage {" or ".join(self.stages)}'


def check_starting_points(path: Mapping[str, Any], starts: Mapping[str, Start]) -> None:
    """Whether the files of path.pretrain_network_<label> are what they are named as. Those that do not say it pass.

    Raises:
        WeightsError: all that are not, such as both of two that were swapped.
    """
    problems = []
    for label, start in starts.items():
        file = path.get(f'pretrain_network_{label}')
        provenance = read_provenance(file) if file else None
        if provenance and not start.allows(provenance):
            problems.append(f'path.pretrain_network_{label}: expected {start}, {file} is of {provenance}')
    if problems:
        raise WeightsError('; '.join(problems))
