"""What a film of high dynamic range says about the display that it was made on (SMPTE ST 2086, CTA-861.3)."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

_MASTERING = struct.Struct('<20i2i')  # AVMasteringDisplayMetadata: ten rationals and two flags
_LIGHT = struct.Struct('<2I')  # AVContentLightMetadata
CHROMATICITY, LUMINANCE = 50_000, 10_000  # units of x265's numbers


@dataclass(frozen=True)
class HdrMetadata:
    """mastering: red, green, blue and white point (x, y) and the least and most luminance, in x265's units; light: the
    most light of a pixel and of a frame, cd/m2. None where the film says nothing."""

    mastering: tuple[int, ...] | None = None
    light: tuple[int, int] | None = None

    @classmethod
    def of(cls, frame: 'av.VideoFrame') -> 'HdrMetadata':
        """What comes with a decoded frame."""
        beside: Any = frame.side_data
        data = {side.type.name: bytes(side) for side in beside}
        mastering = light = None
        if len(found := data.get('MASTERING_DISPLAY_METADATA', b'')) >= _MASTERING.size:
            *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(found)
            values = [a / b if b else 0.0 for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
            if has_primaries and has_luminance:
                units = [CHROMATICITY] * 8 + [LUMINANCE] * 2
                mastering = tuple(round(value * unit) for value, unit in zip(values, units, strict=True))
        if len(found := data.get('CONTENT_LIGHT_LEVEL', b'')) >= _LIGHT.size:
            light = _LIGHT.unpack_from(found)
        return cls(mastering, light)

    def x265_parameters(self) -> list[str]:
        """As x265 takes them."""
        parameters = []
        if self.mastering is not None:
            rx, ry, gx, gy, bx, by, wx, wy, least, most = self.mastering
            parameters.append(f'master-display=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})')
        if self.light is not None:
            parameters.append(f'max-cll={self.light[0]},{self.light[1]}')
        return parameters


UNKNOWN = HdrMetadata()
