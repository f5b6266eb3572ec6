"""Decoding time stamps for encoded frames whose display time stamps alone are known."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence


def reorder_depth(display_times: Sequence[int]) -> int:
    """How many packets at most are decoded before one that is shown earlier; `display_times`: in decoding order."""
    rank = {pts: index for index, pts in enumerate(sorted(display_times))}
    return max((position - rank[pts] for position, pts in enumerate(display_times)), default=0)


def decode_times(sorted_display_times: Iterable[int], depth: int, step: int) -> Iterator[int]:
    """Rising decoding times, one a packet in decoding order, none later than its packet is shown.

    They are the display times themselves, `depth` packets late; the first ones go back from there by `step`.
    """
    waiting: deque[int] = deque()
    for position, pts in enumerate(sorted_display_times):
        if position == 0:
            waiting.extend(pts - (depth - index) * step for index in range(depth))
        waiting.append(pts)
        yield waiting.popleft()
