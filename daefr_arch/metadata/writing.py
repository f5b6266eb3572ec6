"""Metadata as JPEG segments, PNG chunks and WebP's blocks, with the names of what each format cannot hold."""

import struct
import zlib
from collections.abc import Iterable

from daefr_arch.metadata.density import ASPECT, CENTIMETRE, INCH, METRE, Density
from daefr_arch.metadata.exif import with_density
from daefr_arch.metadata.jpeg_segments import APP1, APP13, COM, LONGEST, segment
from daefr_arch.metadata.metadata import Metadata
from daefr_arch.metadata.png_chunks import chunk
from daefr_arch.metadata.reading import (
    EXIF_HEADER,
    PHOTOSHOP_HEADER,
    XMP_HEADER,
    XMP_KEYWORD,
    png_text,
)

_COMMENT = b'Comment'
# the chunks of Metadata.colour that no other format needs: what an untagged picture means, and what a profile says
_SAID_OTHERWISE = (b'sRGB', b'gAMA', b'cHRM')
_JFIF_UNITS = {ASPECT: 0, INCH: 1, CENTIMETRE: 2}
_JFIF_END, _JFIF_DENSITY = 20, slice(13, 18)  # of a file that begins with a JFIF segment without thumbnail
Lost = tuple[str, ...]


def in_jpeg(encoded: bytes, metadata: Metadata) -> tuple[bytes, Lost]:
    """A JPEG file that begins with a JFIF segment, with the metadata; and what it cannot hold."""
    comments, lost = _texts_as_comments(metadata)
    resources = metadata.photoshop or b''
    room = LONGEST - len(PHOTOSHOP_HEADER)
    parts = [resources[start : start + room] for start in range(0, len(resources), room)]
    contents = [
        ('EXIF', APP1, EXIF_HEADER + metadata.exif if metadata.exif else b''),
        ('XMP', APP1, XMP_HEADER + metadata.xmp if metadata.xmp else b''),
        *(('extended XMP', APP1, part) for part in metadata.extended_xmp),
        *(('IPTC', APP13, PHOTOSHOP_HEADER + part) for part in parts),
        *(('a comment', COM, comment) for comment in comments),
    ]
    lost += [f'{name} of more than 64 KiB' for name, _, content in contents if len(content) > LONGEST]
    segments = b''.join(segment(marker, content) for _, marker, content in contents if 0 < len(content) <= LONGEST)
    jfif = bytearray(encoded[:_JFIF_END])
    if metadata.density:
        unit = INCH if metadata.density.unit == METRE else metadata.density.unit
        numbers = metadata.density.per(unit)
        if all(0 < number < 2**16 for number in numbers):
            jfif[_JFIF_DENSITY] = struct.pack('>BHH', _JFIF_UNITS[unit], *numbers)
        else:
            lost.append(_named(metadata.density))
    return bytes(jfif) + segments + encoded[_JFIF_END:], (*lost, *_lost_colour(metadata))


def in_png(encoded: bytes, metadata: Metadata, at: int) -> tuple[bytes, Lost]:
    """A PNG file with the metadata inserted at a position behind the header; and what it cannot hold."""
    chunks = [chunk(kind, content) for kind, content in metadata.colour]
    lost = []
    if metadata.density:
        unit = ASPECT if metadata.density.unit == ASPECT else METRE
        numbers = metadata.density.per(unit)
        if all(0 < number < 2**31 for number in numbers):
            chunks.append(chunk(b'pHYs', struct.pack('>IIB', *numbers, unit == METRE)))
        else:
            lost.append(_named(metadata.density))
    if metadata.exif:
        chunks.append(chunk(b'eXIf', metadata.exif))
    if metadata.xmp:
        chunks.append(chunk(b'iTXt', XMP_KEYWORD + bytes(5) + metadata.xmp))
    if metadata.photoshop:
        # the convention of ImageMagick and ExifTool
        profile = b'\niptc\n%8d\n%s\n' % (len(metadata.photoshop), metadata.photoshop.hex().encode())
        chunks.append(chunk(b'zTXt', b'Raw profile type iptc\0\0' + zlib.compress(profile)))
    chunks += [_comment_chunk(comment) for comment in metadata.comments]
    chunks += [chunk(kind, content) for kind, content in metadata.texts]
    if metadata.extended_xmp:
        lost.append('extended XMP')
    return encoded[:at] + b''.join(chunks) + encoded[at:], tuple(lost)


def for_webp(metadata: Metadata) -> tuple[dict[str, bytes], Lost]:
    """What Pillow's writer of WebP takes; and what it cannot hold. A density becomes a tag of EXIF."""
    exif = metadata.exif
    lost = _lost_colour(metadata)
    if metadata.density and metadata.density.unit == ASPECT:
        lost.append(_named(metadata.density))
    elif metadata.density:
        exif = with_density(exif, metadata.density)
    if metadata.extended_xmp:
        lost.append('extended XMP')
    if metadata.photoshop:
        lost.append('IPTC')
    lost += ['a comment'] * bool(metadata.comments)
    lost += [_text_name(content) for _, content in metadata.texts]
    return {'exif': exif or b'', 'xmp': metadata.xmp or b''}, tuple(lost)


def _texts_as_comments(metadata: Metadata) -> tuple[list[bytes], list[str]]:
    """The comments of a JPEG file, PNG's text of that name among them; and the names of the other texts."""
    comments, lost = list(metadata.comments), []
    for kind, content in metadata.texts:
        try:
            if content.split(b'\0')[0] != _COMMENT:
                raise ValueError('another text')
            comments.append(png_text(kind, content))
        except ValueError:
            lost.append(_text_name(content))
    return comments, lost


def _comment_chunk(comment: bytes) -> bytes:
    """A comment as PNG's text of that name: UTF-8 where it is some, else Latin-1."""
    comment = comment.replace(b'\0', b'')
    try:
        is_utf8 = not comment.isascii() and bool(comment.decode('utf-8'))
    except UnicodeDecodeError:
        is_utf8 = False
    return chunk(b'iTXt', _COMMENT + bytes(5) + comment) if is_utf8 else chunk(b'tEXt', _COMMENT + b'\0' + comment)


def _text_name(content: bytes) -> str:
    keyword = content.split(b'\0')[0].decode('latin-1')
    return f'the PNG text "{"".join(filter(str.isprintable, keyword))[:79]}"'


def _lost_colour(metadata: Metadata) -> list[str]:
    return [f'the PNG chunk {kind.decode()}' for kind, _ in metadata.colour if kind not in _SAID_OTHERWISE]


def _named(density: Density) -> str:
    per = 'as pixel aspect' if density.unit == ASPECT else f'pixels per {density.unit}'
    return f'a density of {density.x:g} x {density.y:g} {per}'


def sentences(name: str, lost: Iterable[str]) -> tuple[str, ...]:
    """A warning for each thing that the format `name` cannot hold."""
    return tuple(f'{name} cannot hold {thing}: it is lost' for thing in dict.fromkeys(lost))
