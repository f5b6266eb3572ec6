"""Codecs that films are written with, what each can hold, and the frames that are handed to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daefr_arch.errors import UsageError
from daefr_arch.video.colour import FULL, LIMITED, SWSCALE_MATRIX, Colour, plane
from daefr_arch.video.hdr_metadata import UNKNOWN, HdrMetadata
from daefr_arch.video.library import load_av
from daefr_arch.video.video_info import VideoInfo

if TYPE_CHECKING:
    import av

# file name's ending -> codecs that the container is commonly played with, the default first
CONTAINERS = {
    '.mp4': ('h264', 'h265', 'av1', 'vp9'),
    '.m4v': ('h264', 'h265'),
    '.mov': ('h264', 'h265', 'prores'),
    '.mkv': ('h264', 'h265', 'av1', 'vp9', 'ffv1'),
    '.webm': ('vp9', 'av1'),
}
PRESETS = ('ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow', 'slower', 'veryslow', 'placebo')


@dataclass(frozen=True)
class Codec:
    """An encoder. crf: the default, None where it has no such scale; presets: from fast to slow."""

    encoder: str
    crf: int | None
    most_crf: int
    presets: tuple[str, ...]
    preset: str | None
    even_sides: bool = False  # with chroma samples for two pixels


CODECS = {
    'h264': Codec('libx264', 16, 51, PRESETS, 'medium', even_sides=True),
    'h265': Codec('libx265', 18, 51, PRESETS, 'medium', even_sides=True),
    'av1': Codec('libsvtav1', 20, 63, tuple(str(number) for number in range(13, -1, -1)), '8', even_sides=True),
    'vp9': Codec('libvpx-vp9', 18, 63, tuple(str(number) for number in range(8, -1, -1)), '2'),
    'ffv1': Codec('ffv1', None, 0, (), None),
    'prores': Codec('prores_ks', None, 0, (), None),
}


@dataclass(frozen=True)
class Encoding:
    """How a film is encoded: all that a codec must be told.

    width, height: of the frames; padding: columns and rows that the codec needs in addition.
    """

    codec: str
    crf: int | None
    preset: str | None
    pixel_format: str
    width: int
    height: int
    padding: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    sample_aspect: Fraction
    colour: Colour
    hdr: HdrMetadata = UNKNOWN

    def configure(self, context: Any) -> None:
        """Tells it to the context of the codec, or to a stream's."""
        context.width, context.height = self.width + self.padding[0], self.height + self.padding[1]
        context.pix_fmt = self.pixel_format
        context.time_base, context.framerate = self.time_base, self.rate
        context.sample_aspect_ratio = self.sample_aspect
        context.options = self._options()
        self.colour.set_on(context)

    def open_context(self) -> Any:
        """A new encoder, which begins with a key frame."""
        av = load_av()
        context = av.CodecContext.create(CODECS[self.codec].encoder, 'w')
        self.configure(context)
        context.flags |= int(av.codec.context.Flags.global_header)
        context.thread_type = 'AUTO'
        context.open()
        return context

    def _options(self) -> dict[str, str]:
        options = {} if self.crf is None else {'crf': str(self.crf)}
        if self.codec == 'vp9':
            options |= {'b': '0', 'cpu-used': self.preset or '2', 'row-mt': '1'}
        elif self.preset is not None:
            options['preset'] = self.preset
        if self.codec == 'h265':
            options['x265-params'] = ':'.join(['log-level=error', *self.hdr.x265_parameters()])
        elif self.codec == 'ffv1':
            options |= {'level': '3', 'g': '1'}
        return options

    def frame_of(self, frame: 'av.VideoFrame') -> 'av.VideoFrame':
        """A frame of one's own for the codec, of its size and pixel format, whose pixels can be written to.

        Y'CbCr keeps its numbers; RGB becomes Y'CbCr of the encoding's colour.
        """
        size = (self.width, self.height)
        if (frame.width, frame.height, frame.format.name) != (*size, self.pixel_format):
            matrix = SWSCALE_MATRIX[self.colour.matrix_of(self.height)]
            range_ = FULL if self.colour.is_full else LIMITED
            frame = frame.reformat(
                *size,
                format=self.pixel_format,
                interpolation='LANCZOS',
                src_colorspace=None if frame.format.is_rgb else matrix,
                dst_colorspace=matrix,
                src_color_range=FULL if frame.format.is_rgb else range_,
                dst_color_range=range_,
            )
        if any(self.padding):
            frame = _padded(frame, self.padding)
        frame.make_writable()
        frame.pict_type = 0  # else the encoder would put a key frame wherever the source has one
        self.colour.set_on(frame)
        return frame


def choose_encoding(
    info: VideoInfo,
    out: Path,
    *,
    upscale: float,
    codec: str | None,
    crf: int | None,
    preset: str | None,
) -> Encoding:
    """How a film is written to `out`.

    Raises:
        UsageError: a container, codec, quality or preset that is not there, or that cannot hold the film's pixels.
    """
    extension = out.suffix.lower()
    if extension not in CONTAINERS:
        raise UsageError(f'{out.name}: expected a film to be written as one of {", ".join(CONTAINERS)}')
    possible = CONTAINERS[extension]
    if codec is None:
        codec = 'h265' if info.colour.is_hdr and 'h265' in possible else possible[0]
    if codec not in possible:
        raise UsageError(f'codec: expected one of {", ".join(possible)} in {extension}, got {codec!r}')
    chosen = CODECS[codec]
    if crf is not None and (chosen.crf is None or not 0 <= crf <= chosen.most_crf):
        limits = f'0 to {chosen.most_crf}' if chosen.crf is not None else 'none: it has no scale of quality'
        raise UsageError(f'crf of {codec}: expected {limits}, got {crf}')
    if preset is not None and preset not in chosen.presets:
        raise UsageError(f'preset of {codec}: expected {", ".join(chosen.presets) or "none"}, got {preset!r}')
    if info.sample_aspect != 1 and extension in ('.mkv', '.webm') and codec not in ('h264', 'h265'):
        # PyAV cannot hand it to the container, and these codecs do not hold it themselves
        raise UsageError(
            f'{codec} in {extension}: cannot hold pixels that are not square ({info.sample_aspect}): '
            'take --codec h264 or h265, or write a film ending in .mp4'
        )
    pixel_format = choose_pixel_format(info, codec)
    width, height = (max(1, int(side * upscale)) for side in (info.width, info.height))
    across, down = _subsampling(pixel_format)
    padding = (width % across, height % down) if chosen.even_sides else (0, 0)
    return Encoding(
        codec,
        chosen.crf if crf is None else crf,
        chosen.preset if preset is None else preset,
        pixel_format,
        width,
        height,
        padding,
        info.time_base,
        info.rate,
        info.sample_aspect,
        info.colour,
        info.hdr,
    )


def choose_pixel_format(info: VideoInfo, codec: str) -> str:
    """The encoder's pixel format that holds the film's without loss, or the next: as many bits, as many samples.

    Raises UsageError where the codec has too few bits.
    """
    av = load_av()
    source = av.VideoFormat(info.pixel_format)
    bits = max(part.bits for part in source.components)
    available = [one.name for one in av.Codec(CODECS[codec].encoder, 'w').video_formats]
    name = info.pixel_format.replace('yuvj', 'yuv')
    if name in available and _is_planar(name):
        return name
    samples = _subsampling(name) if not source.is_rgb else (2, 2) if info.is_animation else (1, 1)
    fitting = [
        (format_.components[0].bits, -samples_[0] * samples_[1], candidate)
        for candidate in available
        if _is_planar(candidate) and not candidate.startswith(('gbr', 'yuvj', 'gray'))
        for format_ in [av.VideoFormat(candidate)]
        for samples_ in [_subsampling(candidate)]
        if format_.components[0].bits >= bits and all(mine <= its for mine, its in zip(samples_, samples, strict=True))
    ]
    if not fitting:
        others = ', '.join(_codecs_holding(bits))
        raise UsageError(f"{codec}: cannot hold the film's {info.pixel_format}, {bits} bits: take --codec {others}")
    return min(fitting)[2]


def _codecs_holding(bits: int) -> Sequence[str]:
    av = load_av()
    return [
        name
        for name, codec in CODECS.items()
        if any(
            _is_planar(one.name) and one.components[0].bits >= bits
            for one in av.Codec(codec.encoder, 'w').video_formats
        )
    ]


def _is_planar(name: str) -> bool:
    """Whether changes can be added to its planes: integers, no alpha."""
    av = load_av()
    if name.startswith(('nv', 'yuva', 'gbrap', 'ya')) or name.endswith('be') or 'f16' in name or 'f32' in name:
        return False
    return name.startswith(('yuv4', 'yuvj4', 'gbrp', 'gray')) and len(av.VideoFormat(name).components) in (1, 3)


def _subsampling(name: str) -> tuple[int, int]:
    """Pixels a chroma sample, across and down."""
    av = load_av()
    format_ = av.VideoFormat(name)
    if len(format_.components) < 3:
        return 1, 1
    return 64 // format_.chroma_width(64), 64 // format_.chroma_height(64)


def _padded(frame: 'av.VideoFrame', padding: tuple[int, int]) -> 'av.VideoFrame':
    """The frame with its last columns and rows once more."""
    av = load_av()
    larger = av.VideoFrame(frame.width + padding[0], frame.height + padding[1], frame.format.name)
    for index in range(len(frame.planes)):
        pixels, target = plane(frame, index), plane(larger, index)
        missing = [(0, wanted - there) for wanted, there in zip(target.shape, pixels.shape, strict=True)]
        target[:] = np.pad(pixels, missing, mode='edge')
    return larger
