"""What clusters need and photos do not: Parquet, Ray, and file systems elsewhere."""

import importlib
from typing import Any

from daefr_arch.errors import UsageError

# module -> what it is for, and the extra that brings it
_EXTRAS = {
    'pyarrow': ('a manifest needs PyArrow', 'cluster'),
    'pyarrow.parquet': ('a manifest needs PyArrow', 'cluster'),
    'ray': ('workers on many machines need Ray', 'cluster'),
    'ray.data': ('workers on many machines need Ray', 'cluster'),
    'fsspec': ('addresses need fsspec', 'cluster'),
    's3fs': ('s3:// needs s3fs', 's3'),
}


def load(module: str) -> Any:
    """The module. Raises UsageError, with what to install, where it is not."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        needs, extra = _EXTRAS[module]
        raise UsageError(f"{needs}: pip install 'daefr_arch[{extra}]' ({error})") from error
