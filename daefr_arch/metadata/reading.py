"""Reading what an image file carries beside its pixels, whatever its format."""

import struct
from dataclasses import dataclass, replace

from PIL import Image

from daefr_arch.metadata import exif, jpeg_segments, png_chunks, xmp
from daefr_arch.metadata.density import ASPECT, CENTIMETRE, INCH, METRE, Density
from daefr_arch.metadata.exif_structure import ExifStructure
from daefr_arch.metadata.image_resources import kept_resources, resources_of_iptc
from daefr_arch.metadata.metadata import Metadata

DAMAGED_EXIF = 'the EXIF block is damaged and was dropped'
EXIF_HEADER, XMP_HEADER, XMP_EXTENSION = (
    b'Exif\0\0',
    b'http://ns.adobe.com/xap/1.0/\0',
    b'http://ns.adobe.com/xmp/extension/\0',
)
PHOTOSHOP_HEADER = b'Photoshop 3.0\0'
XMP_KEYWORD = b'XML:com.adobe.xmp'
COLOUR_CHUNKS = (b'gAMA', b'cHRM', b'sRGB', b'cICP', b'mDCV', b'cLLI')
_RAW_PROFILES = {b'exif': 'exif', b'APP1': 'exif', b'xmp': 'xmp', b'iptc': 'photoshop', b'8bim': 'photoshop'}
_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 700, 33723, 34377  # of TIFF
# segments and chunks that are the file's own affair, or that the decoder has used
_JPEG_OWN = {b'JFIF', b'JFXX', b'ICC_PROFILE', b'MPF', b'Adobe', b'Ducky', b'AROT'}
_PNG_OWN = {b'IHDR', b'PLTE', b'IEND', b'tRNS', b'iCCP', b'bKGD', b'hIST', b'sPLT', b'sBIT', b'tIME'} | {
    b'acTL',
    b'fcTL',
    b'fdAT',
}


@dataclass(frozen=True)
class Carried:
    """What a file carries. metadata: of the upright photo. orientation: 1 to 8, of the stored pixels.

    warnings: what cannot be carried on, one phrase each.
    """

    metadata: Metadata
    orientation: int
    warnings: tuple[str, ...] = ()


def read_metadata(image: Image.Image, data: bytes) -> Carried:
    """What the file `data` carries, which Pillow has opened as `image`; of a TIFF file its first page.

    What is damaged is left out, with a warning; nothing is raised.
    """
    orientation = 1
    if image.format in ('JPEG', 'MPO'):
        metadata, left_out = _of_jpeg(data)
    elif image.format == 'PNG':
        metadata, left_out = _of_png(data)
    elif image.format == 'TIFF':
        metadata, orientation, left_out = _of_tiff(data)
    else:
        metadata, left_out = _of_info(image), []
    warnings = [f'left out, as it may not fit the result: {name}' for name in dict.fromkeys(left_out)]
    if image.format != 'TIFF':
        try:
            stated = metadata.exif and exif.orientation(metadata.exif)
            density = metadata.density or (metadata.exif and exif.density(metadata.exif)) or None
            orientation = stated or (metadata.xmp and xmp.orientation(metadata.xmp)) or 1
            metadata = replace(metadata, density=density)
            metadata.upright(orientation)
        except (ValueError, struct.error):
            metadata = replace(metadata, exif=None)
            warnings.append(DAMAGED_EXIF)
    return Carried(metadata.upright(orientation), orientation, tuple(warnings))


def _of_jpeg(data: bytes) -> tuple[Metadata, list[str]]:
    found = Metadata()
    left_out = []
    photoshop = b''
    for marker, content in jpeg_segments.walk(data):
        if marker == jpeg_segments.COM:
            found = replace(found, comments=(*found.comments, content))
        elif marker == jpeg_segments.APP0 and content.startswith(b'JFIF\0') and len(content) >= 12:
            found = replace(found, density=_jfif_density(content))
        elif marker == jpeg_segments.APP1 and content.startswith(EXIF_HEADER):
            found = replace(found, exif=found.exif or content.removeprefix(EXIF_HEADER))
        elif marker == jpeg_segments.APP1 and content.startswith(XMP_HEADER):
            found = replace(found, xmp=found.xmp or content.removeprefix(XMP_HEADER))
        elif marker == jpeg_segments.APP1 and content.startswith(XMP_EXTENSION):
            found = replace(found, extended_xmp=(*found.extended_xmp, content))
        elif marker == jpeg_segments.APP13 and content.startswith(PHOTOSHOP_HEADER):
            photoshop += content.removeprefix(PHOTOSHOP_HEADER)
        elif jpeg_segments.APP0 <= marker < 0xF0:
            name = content[:16].split(b'\0')[0]
            if name not in _JPEG_OWN and not name.startswith(b'Adobe'):
                printable = ''.join(filter(str.isprintable, name.decode('latin-1')))
                left_out.append(f'JPEG segment APP{marker - jpeg_segments.APP0} {printable}'.rstrip())
    return replace(found, photoshop=kept_resources(photoshop)), left_out


def _jfif_density(content: bytes) -> Density | None:
    unit, x, y = struct.unpack_from('>BHH', content, 7)
    if unit not in (0, 1, 2) or 0 in (x, y) or (unit == 0 and x == y):
        return None
    return Density(x, y, (ASPECT, INCH, CENTIMETRE)[unit])


def _of_png(data: bytes) -> tuple[Metadata, list[str]]:
    found = Metadata()
    left_out = []
    for kind, content in png_chunks.walk(data):
        if kind == b'eXIf':
            found = replace(found, exif=content.removeprefix(EXIF_HEADER))
        elif kind == b'pHYs' and len(content) == 9:
            x, y, unit = struct.unpack('>IIB', content)
            if x and y and (unit == 1 or x != y):
                found = replace(found, density=Density(x, y, METRE if unit == 1 else ASPECT))
        elif kind in COLOUR_CHUNKS:
            found = replace(found, colour=(*found.colour, (kind, content)))
        elif kind in (b'tEXt', b'zTXt', b'iTXt'):
            found = _with_text(found, kind, content)
        elif kind not in _PNG_OWN:
            left_out.append(f'PNG chunk {"".join(filter(str.isalnum, kind.decode("latin-1")))}')
    return found, left_out


def _with_text(found: Metadata, kind: bytes, content: bytes) -> Metadata:
    """The metadata with a PNG text: XMP, EXIF and IPTC find their own places, other texts stay chunks."""
    keyword = content.split(b'\0')[0]
    field = 'xmp' if keyword == XMP_KEYWORD else _RAW_PROFILES.get(keyword.removeprefix(b'Raw profile type '))
    if field and not getattr(found, field):
        try:
            value = png_text(kind, content)
            if keyword != XMP_KEYWORD:
                value = bytes.fromhex(value.split(b'\n', 3)[3].decode('ascii'))
            return replace(found, **_profile(field, value))  # type: ignore[arg-type]
        except (ValueError, IndexError):
            pass  # it is what it says it is only in name
    return replace(found, texts=(*found.texts, (kind, content)))


def _profile(field: str, value: bytes) -> dict[str, bytes | None]:
    """The field of Metadata that a raw profile fills; programs put XMP into APP1, and IPTC without its resource."""
    if value.startswith(XMP_HEADER):
        return {'xmp': value.removeprefix(XMP_HEADER)}
    if field == 'photoshop':
        value = value.removeprefix(PHOTOSHOP_HEADER)
        return {field: resources_of_iptc(value) if value.startswith(b'\x1c') else kept_resources(value)}
    return {field: value.removeprefix(EXIF_HEADER)}


def png_text(kind: bytes, content: bytes) -> bytes:
    """The text of a tEXt, zTXt or iTXt chunk without its keyword; raises ValueError where it is damaged."""
    _, _, rest = content.partition(b'\0')
    if kind == b'tEXt':
        return rest
    if kind == b'zTXt':
        return png_chunks.inflate(rest[1:])
    is_compressed, parts = rest[:1] == b'\1', rest[2:].split(b'\0', 2)
    if len(parts) != 3:
        raise ValueError('a damaged iTXt chunk')
    return png_chunks.inflate(parts[2]) if is_compressed else parts[2]


def _of_tiff(data: bytes) -> tuple[Metadata, int, list[str]]:
    try:
        tiff = ExifStructure(data)
        page = tiff.first
        raw = {tag: entry.raw for tag, entry in page.entries.items() if tag in (_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG)}
        photoshop = kept_resources(raw.get(_PHOTOSHOP_TAG, b'')) or b''
        if _IPTC_TAG in raw and b'8BIM\x04\x04' not in photoshop:
            photoshop += resources_of_iptc(raw[_IPTC_TAG])
        metadata = Metadata(xmp=raw.get(_XMP_TAG), photoshop=photoshop or None, density=exif.density_of(tiff, page))
        orientation = exif.orientation_of(tiff, page)
    except (ValueError, struct.error):
        return Metadata(), 1, ['damaged TIFF tags']
    try:
        return replace(metadata, exif=exif.exif_of_tiff(tiff, page)), orientation, []
    except (ValueError, struct.error):
        return metadata, orientation, ['damaged EXIF of the TIFF file']


def _of_info(image: Image.Image) -> Metadata:
    """What Pillow or its plug-in has found in other formats."""
    info = image.info
    block, packet, comment, dpi = (info.get(name) for name in ('exif', 'xmp', 'comment', 'dpi'))
    return Metadata(
        exif=block.removeprefix(EXIF_HEADER) if isinstance(block, bytes) and block else None,
        xmp=packet if isinstance(packet, bytes) and packet else None,
        comments=(comment,) if isinstance(comment, bytes) and comment else (),
        density=Density(float(dpi[0]), float(dpi[1])) if isinstance(dpi, tuple) and all(dpi) else None,
    )
