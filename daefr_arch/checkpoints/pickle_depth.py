"""How deeply a pickle nests what it builds: Python overflows its stack on tuples of tuples of tuples, and crashes."""

import pickletools
from collections.abc import Iterator
from typing import Any, BinaryIO

_DEEPEST = 200  # a training state has about ten levels
_FILLING = ('APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'ADDITEMS', 'BUILD')  # a container, again and again


def check_depth(stream: BinaryIO) -> None:
    """Walks through the pickle at the stream's place, up to its end, without building anything.

    Raises:
        ValueError: it nests more deeply than any checkpoint, or is no pickle.
    """
    stack: list[int] = []
    memo: dict[int, int] = {}
    marks: list[int] = []
    operations: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]] = pickletools.genops(stream)
    for opcode, argument, _ in operations:
        name = opcode.name
        if name == 'MARK':
            marks.append(len(stack))
        elif name in ('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
            memo[len(memo) if name == 'MEMOIZE' else int(argument)] = stack[-1] if stack else 0
        elif name in ('GET', 'BINGET', 'LONG_BINGET'):
            stack.append(memo.get(int(argument), 0))
        else:
            taken = _taken(opcode, stack, marks)
            inside = taken[1:] if name in _FILLING else taken
            depth = max(1 + max(inside, default=0), max(taken[:1], default=0))
            if depth > _DEEPEST:
                raise ValueError(f'it nests more than {_DEEPEST} objects in each other')
            stack.extend([depth] * len(opcode.stack_after))


def _taken(opcode: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """Takes off the stack what an opcode does."""
    before = opcode.stack_before
    if pickletools.markobject in before:
        start = marks.pop() if marks else 0
        count = len(stack) - start + before.index(pickletools.markobject)
    else:
        count = len(before)
    count = min(count, len(stack))
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return taken
