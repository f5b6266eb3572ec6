"""What the numbers of a film's pixels mean, and changes of RGB in those numbers.

A change is added to the frame's own Y'CbCr: what it leaves alone stays bit for bit, whatever the depth.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import av

# ITU-T H.273: code of matrix_coefficients -> (Kr, Kb)
WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
WEIGHTS |= {9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
UNSPECIFIED = 2
BT709, BT601, BT2020 = 1, 6, 9
PQ, HLG = 16, 18  # codes of transfer_characteristics
SRGB = 13
LIMITED, FULL = 1, 2  # PyAV's codes of the range
HD_HEIGHT = 720  # films without a word about their matrix: BT.709 from this height on, BT.601 below
SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}


@dataclass(frozen=True)
class Colour:
    """Colour of a film, codes of ITU-T H.273; 2 for what the file does not say.

    range: 1 limited, 2 full, 0 unknown.
    """

    range: int
    primaries: int
    transfer: int
    matrix: int

    @classmethod
    def of(cls, frame: 'av.VideoFrame') -> 'Colour':
        """What a decoded frame says."""
        range_ = FULL if frame.format.name.startswith('yuvj') else int(frame.color_range)
        return cls(range_, int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))

    @property
    def is_hdr(self) -> bool:
        """Whether the values are those of PQ or HLG."""
        return self.transfer in (PQ, HLG)

    @property
    def is_full(self) -> bool:
        """Whether Y'CbCr uses all of its numbers."""
        return self.range == FULL

    def matrix_of(self, height: int) -> int:
        """The code of the matrix that applies to frames of this height."""
        if self.matrix in WEIGHTS:
            return self.matrix
        return BT709 if height >= HD_HEIGHT else BT601

    def set_on(self, target: Any) -> None:
        """Writes it to a frame, or to the context of a codec."""
        target.color_range, target.color_primaries = self.range, self.primaries
        target.color_trc, target.colorspace = self.transfer, self.matrix


def to_bgr(frame: 'av.VideoFrame', colour: Colour, *, depth: int = 8) -> np.ndarray:
    """The frame as BGR (H, W, 3), uint8 or (depth 16) uint16: its own values, without any mapping of tones."""
    reformatted = frame.reformat(
        format='bgr24' if depth == 8 else 'bgr48le',
        src_colorspace=SWSCALE_MATRIX[colour.matrix_of(frame.height)],
        src_color_range=FULL if colour.is_full else LIMITED,
        dst_color_range=FULL,
        interpolation='BICUBIC',
    )
    return plane(reformatted, 0, channels=3).copy()


def plane(frame: 'av.VideoFrame', index: int, *, channels: int = 1) -> np.ndarray:
    """A view into the frame's plane: (h, w), or (h, w, channels) where pixels are packed; uint8 or uint16."""
    data: Any = frame.planes[index]
    dtype = np.dtype(np.uint16 if frame.format.components[0].bits > 8 else np.uint8)
    rows = np.frombuffer(data, dtype).reshape(-1, data.line_size // dtype.itemsize)
    pixels = rows[: data.height, : data.width * channels]
    return pixels if channels == 1 else pixels.reshape(data.height, data.width, channels)


def add_change(frame: 'av.VideoFrame', change: np.ndarray, corner: tuple[int, int], colour: Colour) -> None:
    """Adds a change of RGB to the frame, in place.

    Args:
        frame: planar Y'CbCr, RGB (gbrp) or grey, of 8 to 16 bits, writable.
        change: (h, w, 3) float32 BGR, of 255.
        corner: (x, y) of its top left pixel in the frame; even numbers, so that chroma samples are whole.
        colour: of the frame.
    """
    x, y = corner
    bits = frame.format.components[0].bits
    height, width = change.shape[:2]
    if frame.format.name.startswith('gbr'):
        for index, channel in enumerate((1, 0, 2)):
            target = plane(frame, index)[y : y + height, x : x + width]
            _add(target, change[..., channel] * ((2**bits - 1) / 255), bits)
        return
    has_colour = len(frame.planes) >= 3
    kr, kb = WEIGHTS[colour.matrix_of(frame.height)]
    blue, green, red = (change[..., channel] for channel in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    luma_scale, chroma_scale = _scales(bits, full=colour.is_full or not has_colour)  # as FFmpeg: grey is full
    _add(plane(frame, 0)[y : y + height, x : x + width], luma * luma_scale, bits)
    if not has_colour:
        return
    across, down = _subsampling(frame)
    for index, difference in ((1, (blue - luma) / (2 * (1 - kb))), (2, (red - luma) / (2 * (1 - kr)))):
        chroma = subsample(difference * chroma_scale, across, down)
        left, top = x // across, y // down
        _add(plane(frame, index)[top : top + chroma.shape[0], left : left + chroma.shape[1]], chroma, bits)


def subsample(channel: np.ndarray, across: int, down: int) -> np.ndarray:
    """A channel (h, w) at every `across`-th column and `down`-th row.

    Samples lie as in MPEG-2 and H.264 by default: on the left luma column, midway between the rows.
    """
    height, width = channel.shape
    missing = (-height % down, -width % across)
    if any(missing):
        channel = cv2.copyMakeBorder(channel, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
    if across == 2:
        kernel = np.array([[0.25, 0.5, 0.25]], np.float32)
        channel = cv2.filter2D(channel, -1, kernel, borderType=cv2.BORDER_REPLICATE)[:, ::2]
    elif across > 2:
        channel = channel.reshape(channel.shape[0], -1, across).mean(axis=2)
    return channel.reshape(-1, down, channel.shape[1]).mean(axis=1) if down > 1 else channel


def _scales(bits: int, *, full: bool) -> tuple[float, float]:
    """From differences of 255 to those of luma and of chroma."""
    if full:
        scale = (2**bits - 1) / 255
        return scale, scale
    return 219 * 2 ** (bits - 8) / 255, 224 * 2 ** (bits - 8) / 255


def _subsampling(frame: 'av.VideoFrame') -> tuple[int, int]:
    """Luma pixels a chroma sample, across and down."""
    luma, chroma = frame.planes[0], frame.planes[1]
    return round(luma.width / chroma.width), round(luma.height / chroma.height)


def _add(target: np.ndarray, change: np.ndarray, bits: int) -> None:
    target[:] = np.rint(target + change).clip(0, 2**bits - 1)
