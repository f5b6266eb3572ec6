"""The EXIF block of a photo, made to describe its restored version.

The block is edited where it stands and not written anew: odd types stay as they are, and makers' notes, which point
into the block, keep every byte and their place.
"""

import struct

from PIL.ExifTags import IFD, Base

from daefr_arch.metadata.density import CENTIMETRE, INCH, Density
from daefr_arch.metadata.exif_structure import LONG, RATIONAL, SHORT, Directory, ExifStructure, Value, header, serialise

ORIENTATION = int(Base.Orientation)
# Of a TIFF file's directory only what describes the photo: the other tags describe the file's old layout.
_DESCRIPTIVE = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Copyright,
    Base.Rating,
    Base.RatingPercent,
    Base.XPTitle,
    Base.XPComment,
    Base.XPAuthor,
    Base.XPKeywords,
    Base.XPSubject,
)
_BELOW = (IFD.Exif, IFD.GPSInfo, IFD.Interop)
_SIZES = ((None, Base.ImageWidth, Base.ImageLength), (IFD.Exif, Base.ExifImageWidth, Base.ExifImageHeight))
_UNITS = {2: INCH, 3: CENTIMETRE}
_INTEROP_INDEX = 1


def orientation(block: bytes) -> int:
    """How the pixels lie, 1 to 8; 1 where the block does not say. Raises ValueError where it is damaged."""
    tiff = ExifStructure(block)
    return orientation_of(tiff, tiff.first)


def orientation_of(tiff: ExifStructure, directory: Directory) -> int:
    """How the pixels lie, 1 to 8; 1 where the directory does not say."""
    value = tiff.number(directory, ORIENTATION)
    return value if value in range(1, 9) else 1  # type: ignore[return-value]


def density(block: bytes) -> Density | None:
    """The resolution that the block states. Raises ValueError where it is damaged."""
    tiff = ExifStructure(block)
    return density_of(tiff, tiff.first)


def density_of(tiff: ExifStructure, directory: Directory) -> Density | None:
    """The resolution that a directory states."""
    x, y = (tiff.fraction(directory, tag) for tag in (Base.XResolution, Base.YResolution))
    unit = _UNITS.get(tiff.number(directory, Base.ResolutionUnit) or 2)
    return Density(x, y, unit) if x and y and unit else None


def is_adobe_rgb(block: bytes) -> bool:
    """Whether the block says so as cameras do that embed no profile (DCF 2.0: interoperability index R03)."""
    tiff = ExifStructure(block)
    exif = tiff.below(tiff.first, IFD.Exif)
    interop = exif and tiff.below(exif, IFD.Interop)
    index = interop and interop.entries.get(_INTEROP_INDEX)
    return bool(index) and index.raw.startswith(b'R03')  # type: ignore[union-attr]


def upright_exif(block: bytes) -> bytes:
    """The block of a photo whose pixels have been turned: orientation 1, and no thumbnail, which shows the old photo.

    Raises ValueError where it is damaged.
    """
    tiff = ExifStructure(block)
    edited = bytearray(block)
    if ORIENTATION in tiff.first.entries:
        _set_number(edited, tiff, tiff.first.entries[ORIENTATION].position, SHORT, 1)
    if not tiff.first.next:
        return bytes(edited)
    struct.pack_into(f'{tiff.order}I', edited, tiff.first.link, 0)
    return bytes(_without_thumbnail(edited, tiff))


def _without_thumbnail(edited: bytearray, tiff: ExifStructure) -> bytearray:
    """The block without the thumbnail's bytes where they are its end, with zeros for them elsewhere."""
    try:
        thumbnail = tiff.directory(tiff.first.next)
    except ValueError:
        return edited
    start = tiff.number(thumbnail, Base.JpegIFOffset) or 0
    end = start + (tiff.number(thumbnail, Base.JpegIFByteCount) or 0)
    if not 8 <= start < end <= len(edited):
        return edited
    kept = [tiff.first, *(below for pointer in _BELOW if (below := _find(tiff, pointer)))]
    ends = [max(entry.start + len(entry.raw), entry.position + 12) for one in kept for entry in one.entries.values()]
    if start >= max(ends, default=8) and start >= tiff.first.link + 4 and end >= len(edited) - 4:
        return edited[:start]
    if not any(
        entry.start < end and entry.start + len(entry.raw) > start for one in kept for entry in one.entries.values()
    ):
        edited[start:end] = bytes(end - start)
    return edited


def _find(tiff: ExifStructure, pointer: int) -> Directory | None:
    """One of the directories below the first; None also where it is damaged."""
    try:
        parent = tiff.below(tiff.first, IFD.Exif) if pointer == IFD.Interop else tiff.first
        return parent and tiff.below(parent, pointer)
    except ValueError:
        return None


def resized_exif(block: bytes, *, width: int, height: int) -> bytes:
    """The block of `upright_exif` with the pixel dimensions that it may state set to these."""
    tiff = ExifStructure(block)
    edited = bytearray(block)
    for pointer, *tags in _SIZES:
        directory = tiff.first if pointer is None else _find(tiff, pointer)
        for tag, size in zip(tags, (width, height), strict=True):
            if directory and tag in directory.entries:
                _set_number(edited, tiff, directory.entries[tag].position, LONG, size)
    return bytes(edited)


def _set_number(edited: bytearray, tiff: ExifStructure, position: int, kind: int, value: int) -> None:
    layout = f'{tiff.order}HIHxx' if kind == SHORT else f'{tiff.order}HII'
    struct.pack_into(layout, edited, position + 2, kind, 1, value)


def with_density(block: bytes | None, density: Density) -> bytes:
    """The block, or a new one, with a resolution where it states none."""
    block = block or header('<') + serialise('<', {})
    tiff = ExifStructure(block)
    if density_of(tiff, tiff.first):
        return block
    x, y = density.per(INCH)
    added: dict[int, Value] = {
        Base.XResolution: (RATIONAL, 1, struct.pack(f'{tiff.order}II', x, 1)),
        Base.YResolution: (RATIONAL, 1, struct.pack(f'{tiff.order}II', y, 1)),
        Base.ResolutionUnit: (SHORT, 1, struct.pack(f'{tiff.order}H', 2)),
    }
    kept: dict[int, Value] = {entry.tag: (entry.type, entry.count, entry.raw) for entry in tiff.first.entries.values()}
    # the new first directory stands behind everything else, so that nothing else moves
    end = len(block) + len(block) % 2
    return header(tiff.order, end) + block[8:].ljust(end - 8, b'\0') + serialise(tiff.order, kept | added, offset=end)


def exif_of_tiff(tiff: ExifStructure, page: Directory) -> bytes | None:
    """An EXIF block of what a page of a TIFF file says about its photo; None where it says nothing."""
    directory: dict[int, Value] = {
        tag: (page.entries[tag].type, page.entries[tag].count, page.entries[tag].raw)
        for tag in map(int, _DESCRIPTIVE)
        if tag in page.entries
    }
    for pointer in (IFD.Exif, IFD.GPSInfo):
        if below := _values_below(tiff, page, pointer):
            directory[pointer] = below
    return header(tiff.order) + serialise(tiff.order, directory) if directory else None


def _values_below(tiff: ExifStructure, parent: Directory, pointer: int) -> dict[int, Value]:
    """The entries of the directory that an entry points to, with the one below it."""
    directory = tiff.below(parent, pointer)
    if directory is None:
        return {}
    values: dict[int, Value] = {tag: (one.type, one.count, one.raw) for tag, one in directory.entries.items()}
    if pointer == IFD.Exif:
        values.pop(IFD.Interop, None)
        try:
            if interop := _values_below(tiff, directory, IFD.Interop):
                values[IFD.Interop] = interop
        except ValueError:
            pass  # it says no more than which names the camera's files have
    return values
