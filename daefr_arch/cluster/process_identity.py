"""Which process wrote something, and whether it still lives: asked of another process of the same machine."""

import os
import socket
from functools import cache
from pathlib import Path


def this_process() -> str:
    """As `node07~4026531836~4711~88123`: machine, space of process numbers, number, when it began."""
    return f'{_machine()}~{os.getpid()}~{_began(os.getpid())}'


def is_dead(process: str) -> bool | None:
    """Whether the process of that name has ended; None where that cannot be known from here, as of another machine."""
    machine, _, rest = process.rpartition('~')
    machine, _, number = machine.rpartition('~')
    if machine != _machine() or not number.isdigit():
        return None
    return _began(int(number)) != rest


@cache
def _machine() -> str:
    """The host, and its boot and space of process numbers: containers of one name share none."""
    space = ''
    try:
        boot = Path('/proc/sys/kernel/random/boot_id').read_text().strip()[:8]
        space = f'{boot}.{os.stat("/proc/self/ns/pid").st_ino}'
    except OSError:  # not Linux
        pass
    return f'{socket.gethostname().replace("~", "-").replace("/", "-")}~{space}'


def _began(number: int) -> str:
    """When the process began, in ticks since the boot; '' where there is none. Numbers are used again, these not."""
    try:
        stat = Path(f'/proc/{number}/stat').read_text()
    except OSError:
        return '' if Path('/proc/self/stat').exists() else 'unknown'
    fields = stat[stat.rindex(')') + 2 :].split()
    return '' if fields[0] in 'ZX' else fields[19]
