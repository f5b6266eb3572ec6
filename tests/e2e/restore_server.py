"""Runs of `daefr restore` in forked processes: imports and networks are paid for once.

Reads requests from standard input, a JSON line each: {"arguments": [...], "kill_after": seconds or null}; answers each
with the exit code, negative for the signal that ended it. The network is that of the file in the first argument.
"""

import json
import os
import signal
import sys
import time

import cv2
import torch

from daefr_arch.commands import cli, restore
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import nothing_shown


def main() -> None:
    torch.set_num_threads(1)  # a forked process has none of the threads of its parent
    cv2.setNumThreads(1)
    fusion = nothing_shown()
    restorer = DAEFRRestorer(model_path=sys.argv[1], upscale=1, device='cpu', fusion=fusion, offline=True)
    restore.build_restorer = lambda args: restorer
    _say('ready')
    for request in map(json.loads, sys.stdin):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os._exit(cli.main(['restore', *request['arguments']]))
        if request['kill_after'] is not None:
            time.sleep(request['kill_after'])
            os.kill(child, signal.SIGKILL)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _say(answer: object) -> None:
    sys.stdout.write(f'{answer}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main()
