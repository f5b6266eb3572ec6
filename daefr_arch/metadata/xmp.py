"""The XMP packet of a photo, made to describe its restored version: everything else of it stays as it is, byte by byte.

XMP is RDF in XML: a property stands as an attribute (tiff:Orientation="6") or as an element
(<tiff:Orientation>6</tiff:Orientation>), under any prefix that is bound to its schema.
"""

import re

_TIFF = b'http://ns.adobe.com/tiff/1.0/'
_EXIF = b'http://ns.adobe.com/exif/1.0/'


def orientation(packet: bytes) -> int | None:
    """How the pixels lie, 1 to 8; None where the packet does not say."""
    for pattern in _patterns(packet, _TIFF, b'Orientation'):
        if (found := pattern.search(packet)) and found[2].strip() in b'1 2 3 4 5 6 7 8'.split():
            return int(found[2])
    return None


def upright_xmp(packet: bytes) -> bytes:
    """The packet of a photo whose pixels have been turned: orientation 1 where one is stated."""
    return _set(packet, _TIFF, b'Orientation', 1)


def resized_xmp(packet: bytes, *, width: int, height: int) -> bytes:
    """The packet with the pixel dimensions that it may state set to these."""
    for namespace, name, value in (
        (_TIFF, b'ImageWidth', width),
        (_TIFF, b'ImageLength', height),
        (_EXIF, b'PixelXDimension', width),
        (_EXIF, b'PixelYDimension', height),
    ):
        packet = _set(packet, namespace, name, value)
    return packet


def _set(packet: bytes, namespace: bytes, name: bytes, value: int) -> bytes:
    for pattern in _patterns(packet, namespace, name):
        packet = pattern.sub(rb'\g<1>%d' % value, packet)
    return packet


def _patterns(packet: bytes, namespace: bytes, name: bytes) -> list[re.Pattern[bytes]]:
    """What finds a property: what stands before its value, and the value."""
    prefixes = set(re.findall(rb'xmlns:([\w.-]+)\s*=\s*["\']%s["\']' % re.escape(namespace), packet))
    named = [re.escape(prefix) + b':' + name for prefix in sorted(prefixes)]
    return [re.compile(rb'(\s%s\s*=\s*["\'])([^"\']*)' % full) for full in named] + [
        re.compile(rb'(<%s(?:\s[^>]*)?>)([^<]*)' % full) for full in named
    ]
