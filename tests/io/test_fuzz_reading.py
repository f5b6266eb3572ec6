"""Whatever is in a file: a photo or an InputError, soon, and in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

from tests.io.sample_files import sample_files

MUTATIONS = 8_000
SEED = 17
MOST_GROWN = 500  # MiB, where files state up to a million pixels


def test_nothing_but_input_errors_comes_out_of_reading(tmp_path):
    command = [sys.executable, '-X', 'faulthandler', '-m', 'tests.io.fuzz_reading', str(tmp_path)]
    command += ['--mutations', str(MUTATIONS), '--seed', str(SEED)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors='replace', timeout=600)
    assert done.returncode in (0, 1), done.stderr[-4000:]
    result = json.loads(done.stdout.split('\n', 1)[1])
    assert result['escapes'] == []
    assert result['slow'] == []
    assert result['grown_mib'] < MOST_GROWN
    counts = result['counts']
    assert counts['read'] + counts['damaged'] + counts['refused'] == MUTATIONS
    assert result['samples'] == len(sample_files())
    assert min(counts['read'], counts['damaged'], counts['refused']) > MUTATIONS / 50  # it does reach the pixels
