"""ICC profiles of the matrix and curve kind (ICC.1:2022, 8.3 and 9.2): read, and made for colours stated otherwise."""

import struct
from collections.abc import Callable, Sequence

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]
# parameters g, a, b, c, d of sRGB's curve (IEC 61966-2-1): (a x + b)^g from d on, c x below
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# x, y of red, green, blue and white
SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
ADOBE_PRIMARIES = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290)
ADOBE_CURVE = (563 / 256,)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_COLORANTS, _CURVES = (b'rXYZ', b'gXYZ', b'bXYZ'), (b'rTRC', b'gTRC', b'bTRC')
_KINDS = (b'mntr', b'scnr', b'prtr', b'spac')


def channels(profile: bytes) -> str:
    """The pixels that a profile is for, 'RGB' or 'GRAY'. Raises ValueError for all others, and damaged ones."""
    if len(profile) < 132 or profile[36:40] != b'acsp' or int.from_bytes(profile[:4], 'big') > len(profile):
        raise ValueError('the colour profile is damaged')
    space = profile[16:20].decode('latin-1').strip()
    if space not in ('RGB', 'GRAY') or profile[12:16] not in _KINDS:
        raise ValueError(f'the colour profile is for {space} pixels, or for none')
    return space


def matrix_and_curves(profile: bytes) -> tuple[np.ndarray, tuple[Curve, Curve, Curve]] | None:
    """What makes of RGB in [0, 1] its XYZ under D50: three curves, then a matrix (3, 3). None for other kinds.

    Of a grey profile the matrix is that of three equal channels. Raises ValueError where the profile is damaged.
    """
    tags = _tags(profile)
    if channels(profile) == 'GRAY':
        if b'kTRC' not in tags or profile[20:24] != b'XYZ ':
            return None
        curve = _curve(tags[b'kTRC'])
        return primaries_matrix(SRGB_PRIMARIES), (curve, curve, curve)
    if b'A2B0' in tags or not {*_COLORANTS, *_CURVES} <= tags.keys() or profile[20:24] != b'XYZ ':
        return None
    matrix = np.array([_fixed(tags[name][8:20], 3) for name in _COLORANTS]).T
    red, green, blue = (_curve(tags[name]) for name in _CURVES)
    return matrix, (red, green, blue)


def matrix_profile(description: str, primaries: Sequence[float], curve: Sequence[float]) -> bytes:
    """A profile, version 4, for x, y of red, green, blue and white, and the parameters of a parametric curve.

    Raises ValueError where the primaries are no colours.
    """
    matrix, adaptation = primaries_matrix(primaries), _adaptation(primaries)
    kind = {1: 0, 5: 3}[len(curve)]
    words = struct.pack('>4sIII2s2sII', b'mluc', 0, 1, 12, b'en', b'US', 2 * len(description), 28)
    text = words + description.encode('utf-16-be')
    shared = struct.pack('>4sIHH', b'para', 0, kind, 0) + _as_fixed(curve)
    contents = {
        b'desc': text,
        b'cprt': struct.pack('>4sIII2s2sII', b'mluc', 0, 1, 12, b'en', b'US', 8, 28) + 'none'.encode('utf-16-be'),
        b'wtpt': b'XYZ \0\0\0\0' + _as_fixed(_D50),
        b'chad': b'sf32\0\0\0\0' + _as_fixed(adaptation.ravel()),
        **{name: b'XYZ \0\0\0\0' + _as_fixed(column) for name, column in zip(_COLORANTS, matrix.T, strict=True)},
        **dict.fromkeys(_CURVES, shared),
    }
    start = 128 + 4 + 12 * len(contents)
    table, body = struct.pack('>I', len(contents)), b''
    for name, content in contents.items():
        table += struct.pack('>4sII', name, start + len(body), len(content))
        body += content.ljust(-(-len(content) // 4) * 4, b'\0')
    head = struct.pack(
        '>I4xI4s4s4s6H4s', start + len(body), 0x04300000, b'mntr', b'RGB ', b'XYZ ', 2000, 1, 1, 0, 0, 0, b'acsp'
    )
    return (head.ljust(68, b'\0') + _as_fixed(_D50)).ljust(128, b'\0') + table + body


def primaries_matrix(primaries: Sequence[float]) -> np.ndarray:
    """The matrix (3, 3) from linear RGB to XYZ under D50, for x, y of red, green, blue and white."""
    colours = np.reshape(primaries, (4, 2)).astype(np.float64)
    if not ((colours > -0.2) & (colours < 1.2)).all() or (colours[:, 1] == 0).any():
        raise ValueError('the primaries are no colours')
    xyz = np.column_stack((colours, 1 - colours.sum(axis=1))) / colours[:, 1:]
    try:
        return _adaptation(primaries) @ (xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3]))
    except np.linalg.LinAlgError as error:
        raise ValueError('the primaries are no colours') from error


def _adaptation(primaries: Sequence[float]) -> np.ndarray:
    """Bradford's matrix (3, 3), from the primaries' white to D50."""
    x, y = primaries[6:8]
    cones = _BRADFORD @ (np.array([x, y, 1 - x - y]) / y)
    return np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / cones) @ _BRADFORD


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The contents of the profile's tags."""
    tags = {}
    try:
        for index in range(min(struct.unpack_from('>I', profile, 128)[0], 100)):
            name, start, length = struct.unpack_from('>4sII', profile, 132 + 12 * index)
            tags[name] = profile[start : start + length]
            if len(tags[name]) < length:
                raise ValueError(f'the colour profile is damaged: it ends within {name!r}')
    except struct.error as error:
        raise ValueError('the colour profile is damaged') from error
    return tags


def _curve(content: bytes) -> Curve:
    """The curve of a tag, from [0, 1] to [0, 1]."""
    try:
        kind = content[:4]
        if kind == b'curv':
            (count,) = struct.unpack_from('>I', content, 8)
            values = np.frombuffer(content, '>u2', count, 12)
            if count < 2:
                return parametric([values[0] / 256 if count else 1.0])
            table = values / 65535
            return lambda x: np.interp(x, np.linspace(0, 1, count), table)
        if kind == b'para':
            (function,) = struct.unpack_from('>H', content, 8)
            g, *rest = _fixed(content[12:], (1, 3, 4, 5, 7)[function])
            if function in (1, 2):  # the same in the order of function 4: the constant from -b / a on, and below
                a, b, *constant = rest
                c = constant[0] if constant else 0.0
                rest = [a, b, 0.0, -b / a, c, c]
            return parametric([g, *rest])
    except (struct.error, ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError('the colour profile is damaged: a curve') from error
    raise ValueError(f'the colour profile is damaged: {kind!r} as a curve')


def parametric(parameters: Sequence[float]) -> Curve:
    """x^g, or (a x + b)^g + e from d on and c x + f below, for the parameters g, a, b, c, d, e, f; e and f may lack."""
    g, a, b, c, d, e, f = (*parameters, *(1.0, 0.0, 0.0, -1.0, 0.0, 0.0)[len(parameters) - 1 :])

    def curve(x: np.ndarray) -> np.ndarray:
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f).clip(0, 1)

    return curve


def _fixed(content: bytes, count: int) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(f'>{count}i', content)]


def _as_fixed(values: Sequence[float] | np.ndarray) -> bytes:
    return struct.pack(f'>{len(values)}i', *(round(value * 65536) for value in values))
