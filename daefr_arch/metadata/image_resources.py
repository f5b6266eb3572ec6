"""Photoshop's image resources, in which JPEG files carry IPTC (Adobe Photoshop file formats specification)."""

import struct
from collections.abc import Iterator

IPTC = 0x0404
_THUMBNAILS = {0x0409, 0x040C}  # they show the old photo
_SIGNATURE = b'8BIM'


def resources_of_iptc(records: bytes) -> bytes:
    """IPTC records alone, as TIFF files have them, as image resources."""
    return _SIGNATURE + struct.pack('>HHI', IPTC, 0, len(records)) + records + b'\0' * (len(records) % 2)


def kept_resources(data: bytes) -> bytes | None:
    """The resources without thumbnails; None where nothing is left."""
    return b''.join(whole for kind, whole in _walk(data) if kind not in _THUMBNAILS) or None


def _walk(data: bytes) -> Iterator[tuple[int | None, bytes]]:
    """Kind and bytes of each resource; what is damaged comes last, without a kind."""
    position = 0
    while position < len(data):
        name_end = position + 7 + (data[position + 6] if position + 6 < len(data) else 0)
        name_end += (name_end - position) % 2
        if data[position : position + 4] == _SIGNATURE and name_end + 4 <= len(data):
            (length,) = struct.unpack_from('>I', data, name_end)
            end = name_end + 4 + length
            if end <= len(data):
                end = min(end + length % 2, len(data))
                yield struct.unpack_from('>H', data, position + 4)[0], data[position:end]
                position = end
                continue
        yield None, data[position:]
        return
