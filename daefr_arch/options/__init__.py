"""Option files: `base`, keys and values."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daefr_arch.options.documentation import ReferenceSection


def reference() -> 'list[ReferenceSection]':
    """Every section of an option file with its keys, their types, defaults and words, as the documentation has them."""
    from daefr_arch.options.documentation import sections  # needs the registries, which are filled by then

    return sections()
