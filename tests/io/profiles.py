"""Colour profiles for tests, none of them from a file."""

import struct

from daefr_arch.metadata.icc_profile import ADOBE_CURVE, ADOBE_PRIMARIES, SRGB_CURVE, SRGB_PRIMARIES, matrix_profile

ADOBE = matrix_profile('Adobe RGB', ADOBE_PRIMARIES, ADOBE_CURVE)
P3 = matrix_profile('P3', (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290), SRGB_CURVE)
PROPHOTO = matrix_profile('ProPhoto', (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585), (1.8,))
LINEAR = matrix_profile('linear', SRGB_PRIMARIES, (1.0,))
WIDE = {'adobe': ADOBE, 'p3': P3, 'prophoto': PROPHOTO, 'linear': LINEAR}


def profile_of(space: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile, version 2, to XYZ, of the contents of its tags."""
    start = 132 + 12 * len(tags)
    table, body = struct.pack('>I', len(tags)), b''
    for name, content in tags.items():
        table += struct.pack('>4sII', name, start + len(body), len(content))
        body += content.ljust(-(-len(content) // 4) * 4, b'\0')
    head = struct.pack('>I4xI4s4s4s12x4s', start + len(body), 0x02400000, kind, space, b'XYZ ', b'acsp')
    illuminant = struct.pack('>3i', 63190, 65536, 54061)
    return (head.ljust(68, b'\0') + illuminant).ljust(128, b'\0') + table + body


_COMMON = {
    b'desc': b'desc' + struct.pack('>4xI', 5) + b'none\0'.ljust(83, b'\0'),
    b'cprt': b'text' + bytes(4) + b'none',
    b'wtpt': b'XYZ ' + bytes(4) + struct.pack('>3i', 63190, 65536, 54061),
}


def grey_profile(gamma: float) -> bytes:
    """Of one channel of a gamma."""
    curve = b'curv' + struct.pack('>4xIH', 1, round(gamma * 256))
    return profile_of(b'GRAY', b'mntr', _COMMON | {b'kTRC': curve})


def scanner_profile() -> bytes:
    """RGB to XYZ by a table (A2B0, lut16Type) of two points a side, and no way back: linear light of sRGB."""
    colorants = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))
    corners = [[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    points = [[sum(c * k[i] for c, k in zip(corner, colorants, strict=True)) for i in range(3)] for corner in corners]
    values = [round(min(value * 32768, 65535)) for point in points for value in point]
    identity = struct.pack('>9i', 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    line = struct.pack('>2H', 0, 65535) * 3
    table = b'mft2' + struct.pack('>4x4B', 3, 3, 2, 0) + identity + struct.pack('>2H', 2, 2) + line
    return profile_of(b'RGB ', b'scnr', _COMMON | {b'A2B0': table + struct.pack('>24H', *values) + line})
