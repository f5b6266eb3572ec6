"""A command and its process: signals, closed pipes, standard output. A small command stands for the slow ones."""

import signal
import subprocess
import sys
import time

import pytest

from daefr_arch.commands import exit_codes

PROGRAM = """
import os, sys, time, types
import daefr_cli
daefr_cli.create_package()  # as the console command does: nothing waits for PyTorch
from daefr_arch.commands import cli

def load():
    if 'imports' in sys.argv:
        os.write(1, b'ready\\n')
        time.sleep(600)

def add_arguments(parser):
    parser.add_argument('what')
    parser.add_argument('folder')

cli.COMMANDS['slow'] = ('slow', '')
slow = types.ModuleType('daefr_arch.commands.slow')
slow.__dict__.update(add_arguments=add_arguments, run=lambda args: run(args, args.folder), GO_ON='again goes on')
sys.modules[slow.__name__] = slow
"""
WORK = """
import logging
from concurrent.futures import ThreadPoolExecutor
from daefr_arch.io.atomic_file import atomic_path
from daefr_arch.io.progress import ProgressBar

def write(folder):
    with atomic_path(folder + '/result.png') as path:
        path.write_bytes(b'half')
        time.sleep(600)

def run(args, folder):
    for photo in (bar := ProgressBar(range(10), unit='photo')):
        if bar.n == 3:
            with ThreadPoolExecutor(1) as pool:
                work = pool.submit(write, folder)
                while not os.listdir(folder):
                    time.sleep(0.01)
                os.write(1, b'ready\\n')
                work.result()

sys.exit(cli.main(['slow', *sys.argv[1:]], load=load))
"""
TALK = """
import logging
from daefr_arch.io.progress import ProgressBar

def run(args, folder):
    for number in ProgressBar(range(3000), mininterval=0):
        logging.getLogger('daefr_arch.commands.slow').info('line %d', number)
        logging.getLogger('daefr_arch.io').info('told %d', number)
    open(folder + '/done', 'w').close()
    return 0

sys.exit(cli.main(['slow', *sys.argv[1:]], load=load))
"""
FORK = """
import logging, signal
from daefr_arch.commands import process

def run(args, folder):
    worker = os.fork()
    if worker == 0:
        open(folder + '/begun', 'w').close()
        time.sleep(600)
    while not os.listdir(folder):
        time.sleep(0.01)
    os.kill(worker, signal.SIGINT)
    time.sleep(0.1)
    assert os.waitpid(worker, os.WNOHANG) == (0, 0)  # left to its parent
    os.kill(worker, signal.SIGTERM)
    _, status = os.waitpid(worker, 0)
    time.sleep(1.5 * process.GRACE)
    logging.getLogger('daefr_arch.commands.slow').info('still here, worker %d', os.waitstatus_to_exitcode(status))
    return 0

sys.exit(cli.main(['slow', *sys.argv[1:]]))
"""
SOON = 60  # seconds, on a machine that does much else; the work would take ten minutes


def start(program, *arguments, **streams):
    return subprocess.Popen([sys.executable, '-c', PROGRAM + program, *map(str, arguments)], text=True, **streams)


@pytest.mark.parametrize(
    ('number', 'word', 'exit_code'),
    [(signal.SIGINT, 'interrupted', exit_codes.INTERRUPTED), (signal.SIGTERM, 'terminated', exit_codes.TERMINATED)],
)
@pytest.mark.parametrize(
    ('what', 'end'), [('imports', 'before anything was done'), ('work', 'after 3 of 10 photos; again goes on')]
)
def test_signals_end_it_soon_with_one_line(number, word, exit_code, what, end, tmp_path):
    process = start(WORK, what, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.2)
    process.send_signal(number)
    _, error = process.communicate(timeout=SOON)
    assert process.returncode == exit_code
    lines = [line for line in error.replace('\r', '\n').splitlines() if line and 'photo/s' not in line]
    assert lines == [f'daefr slow: {word} {end}']
    assert not list(tmp_path.iterdir())


def test_results_go_to_standard_output_and_the_rest_to_standard_error(tmp_path):
    process = start(TALK, 'x', tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=SOON)
    assert process.returncode == 0
    assert output.splitlines() == [f'line {number}' for number in range(3000)]
    assert error.count('told ') == 3000


@pytest.mark.parametrize('both', [False, True], ids=['stdout', 'stdout and stderr'])
def test_a_closed_pipe_ends_nothing(both, tmp_path):
    process = start(TALK, 'x', tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.PIPE)
    assert process.stdout.readline()
    process.stdout.close()
    if not both:
        error = process.stderr.read()
        assert error.count('told ') == 3000
        assert 'Traceback' not in error
        assert 'Broken' not in error
    assert process.wait(timeout=SOON) == 0
    assert (tmp_path / 'done').exists()


def test_help_into_a_closed_pipe():
    process = start('sys.exit(cli.main(["--help"]))', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == ''
    assert process.wait(timeout=SOON) == 0


def test_signals_of_a_worker_do_not_end_its_parent(tmp_path):
    process = start(FORK, 'x', tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=SOON)
    assert (output, error) == (f'still here, worker {exit_codes.TERMINATED}\n', '')
    assert process.returncode == 0
