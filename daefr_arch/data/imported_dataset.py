"""A dataset for worker processes that import a user's modules: spawned ones begin without what the run has imported."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset

from daefr_arch.registration import import_projects


class _Imports:
    """Pickled, it imports: what is unpickled after it finds its classes."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def __reduce__(self) -> tuple[Any, ...]:
        return import_projects, (self.modules,)


class ImportedDataset(Dataset):
    """Another dataset, which a process that gets it by pickle reads only after it has imported `modules`.

    So these need not import daefr_arch, which repairs BasicSR, and find in the registries what the run has there.
    """

    def __init__(self, dataset: Dataset, modules: Sequence[str]) -> None:
        self.dataset, self.modules = dataset, modules
        self.opt = dataset.opt  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return _after_imports, (_Imports(self.modules), self.dataset, self.modules)


def _after_imports(imported: None, dataset: Dataset, modules: Sequence[str]) -> ImportedDataset:
    del imported
    return ImportedDataset(dataset, modules)
