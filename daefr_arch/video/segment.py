"""A part of the result on disk: encoded frames that need no others, and what is known of each.

Layout: the packets' bytes one after the other, then a JSON index, its length in eight bytes, and MAGIC. A file that
does not end so was not finished.
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from daefr_arch.errors import InputError
from daefr_arch.video.encoding import Encoding

if TYPE_CHECKING:
    import av

MAGIC = b'daefrSEG'
_TAIL = struct.Struct('<Q8s')


@dataclass(frozen=True)
class PacketEntry:
    """An encoded frame in a segment: time stamp in ticks, whether it is a key frame, and bytes."""

    pts: int
    is_key: bool
    size: int


class SegmentWriter:
    """Encodes frames to a file; `finish` makes it whole.

    Args:
        stream: an open file.
        encoding: how.
    """

    def __init__(self, stream: IO[bytes], encoding: Encoding) -> None:
        self._stream = stream
        self._context = encoding.open_context()
        self._packets: list[tuple[int, bool, int]] = []
        self.frames: list[dict[str, Any]] = []

    def add(self, frame: 'av.VideoFrame', line: dict[str, Any]) -> None:
        """Encodes one frame. line: what is known of it, for JSON."""
        self.frames.append(line)
        self._write(self._context.encode(frame))

    def finish(self) -> None:
        """Encodes what the codec still holds, and writes the index, down to the disk."""
        self._write(self._context.encode(None))
        index = json.dumps({'packets': self._packets, 'frames': self.frames}).encode()
        self._stream.write(index + _TAIL.pack(len(index), MAGIC))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _write(self, packets: list[Any]) -> None:
        for packet in packets:
            data = bytes(packet)
            self._stream.write(data)
            self._packets.append((packet.pts, bool(packet.is_keyframe), len(data)))


class Segment:
    """A finished segment. Raises InputError where the file is damaged or not finished.

    Attributes:
        frames: what is known of each frame, in the order of their display.
        packets: in the order of decoding.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size
        with path.open('rb') as stream:
            stream.seek(max(0, size - _TAIL.size))
            tail = stream.read()
            length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b'')
            start = size - _TAIL.size - length
            if magic != MAGIC or start < 0:
                raise InputError(f'{path}: not a finished segment')
            stream.seek(start)
            index = json.loads(stream.read(length))
        self.frames: list[dict[str, Any]] = index['frames']
        self.packets = [PacketEntry(*entry) for entry in index['packets']]
        if sum(packet.size for packet in self.packets) != start:
            raise InputError(f'{path}: a damaged segment: its packets do not fill it')

    def read(self) -> Iterator[tuple[PacketEntry, bytes]]:
        """The packets with their bytes."""
        with self.path.open('rb') as stream:
            for packet in self.packets:
                yield packet, stream.read(packet.size)
