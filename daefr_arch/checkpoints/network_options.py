"""The network's options in a file, which anybody may have written there."""

from typing import Any

from basicsr.utils.registry import ARCH_REGISTRY

from daefr_arch.checkpoints.foreign_files import printable
from daefr_arch.errors import WeightsError
from daefr_arch.options.registered import NETWORK
from daefr_arch.options.section import OptionError


def checked_options(options: Any) -> dict[str, Any]:
    """The options, as build_network takes them, once their keys, types and ranges are right.

    Raises:
        WeightsError: they are no mapping, name no network of this package (or of one that is registered beside
            BasicSR's own, some of which read files or download), or have a key or value that it does not take.
    """
    if not isinstance(options, dict) or not isinstance(options.get('type'), str):
        raise WeightsError(f'its network: expected a mapping with the type, got {printable(repr(options), 60)}')
    name = options['type']
    if name in ARCH_REGISTRY and ARCH_REGISTRY.get(name).__module__.startswith('basicsr.'):
        raise WeightsError(f'its network: expected one of DAEFR, got {printable(name, 60)} of BasicSR')
    try:
        NETWORK.check(options)
    except OptionError as error:
        raise WeightsError(f'its network: {printable(str(error))}') from error
    return dict(options)
