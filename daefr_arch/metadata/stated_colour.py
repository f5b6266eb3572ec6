"""Colours that a file states otherwise than by an ICC profile, as the profile that says the same."""

import struct
from collections.abc import Sequence

from daefr_arch.metadata.exif import is_adobe_rgb
from daefr_arch.metadata.icc_profile import (
    ADOBE_CURVE,
    ADOBE_PRIMARIES,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    matrix_profile,
)
from daefr_arch.metadata.metadata import Metadata

_ALMOST_SRGB = 0.005  # of x and y, and of gAMA's fraction twice as much
_SRGB_GAMMA = 0.45455
# code points of ITU-T H.273 -> x, y of red, green, blue and white; curves
_CODED_PRIMARIES: dict[int, Sequence[float]] = {
    1: SRGB_PRIMARIES,
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
_CODED_CURVES: dict[int, Sequence[float]] = {4: (2.2,), 5: (2.8,), 8: (1.0,), 13: SRGB_CURVE}


def stated_profile(icc_profile: bytes | None, metadata: Metadata) -> bytes | None:
    """The profile of a file's pixels: its own, or what its PNG chunks or its EXIF block say; None for sRGB."""
    colour = dict(metadata.colour)
    if icc_profile and b'cICP' not in colour:
        return icc_profile
    if colour:
        return chunks_profile(metadata.colour) or icc_profile
    if metadata.exif and is_adobe_rgb(metadata.exif):
        return matrix_profile('Compatible with Adobe RGB (1998)', ADOBE_PRIMARIES, ADOBE_CURVE)
    return None


def chunks_profile(chunks: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """What PNG's chunks cICP, sRGB, gAMA and cHRM say (in this order, as the specification has it); None for sRGB."""
    colour = dict(chunks)
    stated: tuple[Sequence[float], Sequence[float]]
    coded = colour.get(b'cICP', b'')
    if len(coded) == 4 and coded[0] in _CODED_PRIMARIES and coded[1] in _CODED_CURVES and coded[2:] == b'\0\1':
        stated = _CODED_PRIMARIES[coded[0]], _CODED_CURVES[coded[1]]
    elif b'sRGB' in colour:
        return None
    else:
        stated = _chromaticities(colour.get(b'cHRM', b'')), _gamma(colour.get(b'gAMA', b''))
    if stated == (SRGB_PRIMARIES, SRGB_CURVE):
        return None
    try:
        return matrix_profile('the colours that the PNG file states', *stated)
    except ValueError:
        return None


def _chromaticities(content: bytes) -> Sequence[float]:
    if len(content) != 32:
        return SRGB_PRIMARIES
    white_x, white_y, *rest = (value / 100_000 for value in struct.unpack('>8I', content))
    primaries = (*rest, white_x, white_y)
    distance = max(abs(one - other) for one, other in zip(primaries, SRGB_PRIMARIES, strict=True))
    return SRGB_PRIMARIES if distance < _ALMOST_SRGB else primaries


def _gamma(content: bytes) -> Sequence[float]:
    """The curve; 0.45455 is written for sRGB's, which viewers take it for."""
    encoding = struct.unpack('>I', content)[0] / 100_000 if len(content) == 4 else _SRGB_GAMMA
    if not 0.1 <= encoding <= 10 or abs(encoding - _SRGB_GAMMA) < 2 * _ALMOST_SRGB:
        return SRGB_CURVE
    return (1 / encoding,)
