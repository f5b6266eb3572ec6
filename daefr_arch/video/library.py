"""PyAV, which films need and photos do not."""

from types import ModuleType

from daefr_arch.errors import UsageError


def load_av() -> ModuleType:
    """The module `av`. Raises UsageError where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UsageError("films need PyAV: pip install 'daefr_arch[video]'") from error
    return av
