"""How large a JPEG XL image is, without decoding it (ISO/IEC 18181-1, SizeHeader; 18181-2, boxes)."""

JXL_STARTS = (b'\xff\x0a', b'\0\0\0\x0cJXL \r\n\x87\n')
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)


def jxl_size(data: bytes) -> tuple[int, int]:
    """Width and height, before the image is turned upright.

    Raises:
        ValueError: the header is not there.
    """
    stream = data if data.startswith(JXL_STARTS[0]) else _codestream(data)
    if len(stream) < 12 or not stream.startswith(JXL_STARTS[0]):
        raise ValueError('cut or damaged in its header')
    bits = _Bits(int.from_bytes(stream[2:14], 'little'))
    is_small = bits.take(1)
    height = _side(bits, is_small)
    ratio = bits.take(3)
    if not ratio:
        return _side(bits, is_small), height
    above, below = _RATIOS[ratio - 1]
    return height * above // below, height


def _side(bits: '_Bits', is_small: int) -> int:
    return (bits.take(5) + 1) * 8 if is_small else bits.take(_SIZE_BITS[bits.take(2)]) + 1


def _codestream(data: bytes) -> bytes:
    """The beginning of what the boxes of a file hold of the image."""
    position = 0
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position : position + 4], 'big'), data[position + 4 : position + 8]
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], 'big'), start + 8
        if kind in (b'jxlc', b'jxlp'):  # a part begins with its number
            start += 4 * (kind == b'jxlp')
            return data[start : start + 32]
        if size < 8:
            break
        position += size
    raise ValueError('cut or damaged before its pixels')


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken
