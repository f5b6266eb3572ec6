"""What clusters need and photos do not: Parquet, Ray, and file systems elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daefr_arch.errors import UsageError


def load_pyarrow() -> Any:
    """The module pyarrow, with its Parquet. Raises UsageError, with what to install, where it is not; so do others."""
    with _needed('manifests need PyArrow', 'cluster'):
        import pyarrow.parquet
    return pyarrow


def load_ray() -> Any:
    """The module ray, with its Data."""
    with _needed('workers on many machines need Ray', 'cluster'):
        import ray.data
    return ray


def load_fsspec(address: str) -> Any:
    """The module fsspec, for this address."""
    with _needed('addresses need fsspec', 'cluster'):
        import fsspec
    if address.startswith(('s3:', 's3a:')):
        with _needed('s3:// needs s3fs', 's3'):
            import s3fs  # noqa: F401  fsspec finds it
    return fsspec


@contextmanager
def _needed(what: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{what}: pip install 'daefr_arch[{extra}]' ({error})") from error
