"""`daefr restore`, killed at random moments and continued, ends as a run that nobody disturbed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from PIL import Image

from daefr_arch.checkpoints import save_network
from daefr_arch.commands import exit_codes
from daefr_arch.io.image_file import write_image
from daefr_arch.restoration.earlier_runs import read_report
from tests.faces.photos import astronaut, grace_hopper

KILLS = 30
TINY = {'resolution': 32, 'ch': 32, 'ch_mult': [1, 2], 'num_res_blocks': 1, 'n_layers': 1, 'dim_embd': 64}
ROOT = Path(__file__).parents[2]


class Server:
    """The processes of restore_server."""

    def __init__(self, weights: Path) -> None:
        command = [sys.executable, '-m', 'tests.e2e.restore_server', str(weights)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout.readline() == 'ready\n'

    def restore(self, photos: Path, output: Path, *arguments: str, kill_after: float | None = None) -> int:
        """The exit code."""
        words = ['-i', str(photos), '-o', str(output), '-w', '0', '--evidence_map', *arguments]
        self._process.stdin.write(json.dumps({'arguments': words, 'kill_after': kill_after}) + '\n')
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    torch.manual_seed(0)
    weights = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    options = {'type': 'DAEFR', **TINY}
    save_network(weights, build_network(dict(options)).state_dict(), options)
    server = Server(weights)
    yield server
    server.close()


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Faces, one and two in a photo; two pages; nobody; a broken file."""
    folder = tmp_path_factory.mktemp('photos')
    woman, man = astronaut()[:200, 120:320], cv2.resize(grace_hopper()[:300, 100:400], (200, 200))
    write_image(folder / 'a.jpg', woman)
    write_image(folder / 'b.png', np.hstack((woman, man)))
    (folder / 'c.png').write_bytes((folder / 'b.png').read_bytes()[:3000])
    write_image(folder / 'd.png', astronaut()[400:, :100])
    pages = [Image.fromarray(np.ascontiguousarray(page[..., ::-1])) for page in (woman, man)]
    pages[0].save(folder / 'e.tif', save_all=True, append_images=pages[1:])
    return folder


def contents(root: Path) -> dict[str, bytes]:
    """Every file of the results by its name, but what is hidden and the report."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file() and path.name != 'report.jsonl' and '.daefr-' not in str(path.relative_to(root))
    }


def facts(root: Path) -> dict[str, object]:
    """The newest lines, without what differs from run to run: seconds and the name of the output folder."""
    lines = [json.loads(json.dumps(line).replace(f'{root}/', '')) for line in read_report(root / 'report.jsonl')]
    for line in lines:
        del line['seconds']
        for face in line['faces']:
            del face['seconds']
    return {f'{line["input"]} {line["page"]}': line for line in lines}


def test_killed_and_continued_runs_end_as_an_undisturbed_one(server, photos, tmp_path):
    undisturbed = tmp_path / 'undisturbed'
    server.restore(photos, tmp_path / 'warm')
    start = time.perf_counter()
    assert server.restore(photos, undisturbed) == exit_codes.PARTIAL
    seconds = time.perf_counter() - start
    expected, expected_facts = contents(undisturbed), facts(undisturbed)
    assert len(expected_facts) == 6
    assert {'final_results/e_p001.png', 'final_results/e_p002.png', 'restored_faces/b_01.png'} <= set(expected)

    generator = np.random.default_rng(0)
    kills = folders = 0
    while kills < KILLS:
        output = tmp_path / str(folders)
        folders += 1
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            kill_after = generator.uniform(0, seconds) if kills < KILLS else None
            code = server.restore(photos, output, '--skip_existing', kill_after=kill_after)
            kills += code == -signal.SIGKILL
            if not output.exists():
                continue
            for name, data in contents(output).items():
                assert data == expected[name], name  # whole, or not there
            reported = {
                file for line in read_report(output / 'report.jsonl') for file in line['outputs'].get('photo', [])
            }
            assert {str(file) for file in (output / 'final_results').glob('*')} <= reported
        assert code == exit_codes.PARTIAL
        assert contents(output) == expected
        assert facts(output) == expected_facts
        assert not [path for path in output.rglob('*') if '.daefr-' in path.name]
    assert folders > 1
