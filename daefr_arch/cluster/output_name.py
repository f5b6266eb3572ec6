"""The name of a result: a function of the photo's own path and of the options, so that nothing need be looked up."""

import re
from pathlib import PurePosixPath

from daefr_arch.io.image_encoding import WRITABLE
from daefr_arch.io.image_formats import format_of

PHOTOS, FACES = 'final_results', 'restored_faces'  # as `daefr restore` calls them
_PAGE = re.compile(r'\.p\d+$')


def output_name(relative: str, *, page: int | None = None, extension: str = 'auto', escaped: bool = False) -> str:
    """The result's path below its folder, which mirrors the tree of the photos. No two photos share one.

    A photo keeps its name where that ends in what is written: a.jpg is a.jpg. Else the ending is put behind the whole
    name, a.tif is a.tif.png and its second page a.tif.p002.png. A name that looks like one of those, as a photo
    that is called a.tif.png, gets one more ending.

    Args:
        relative: the photo's path below the input, with slashes.
        page: from 1, of a file that holds several.
        extension: 'png', 'jpg', 'webp', or 'auto', the photo's own where it can be written and png otherwise.
        escaped: for stores whose names are UTF-8: other bytes, and percent signs, become %XX.
    """
    path = PurePosixPath(relative)
    own = path.suffix
    ending = f'.{extension}'
    if extension == 'auto':
        ending = own if own.lower() in WRITABLE else '.png'
    looks_derived = format_of(_PAGE.sub('', path.stem)) is not None
    if page is None and own.lower() == ending.lower() and not looks_derived:
        name = relative
    else:
        name = relative + ('' if page is None else f'.p{page:03d}') + ending.lower()
    return _escaped(name) if escaped else name


def _escaped(name: str) -> str:
    """Surrogates, which stand for bytes that are no UTF-8, as %XX."""
    return re.sub('[\udc80-\udcff]', lambda byte: f'%{ord(byte[0]) - 0xDC00:02X}', name.replace('%', '%25'))
