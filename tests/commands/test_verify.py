import json

import cv2
import numpy as np
from skimage.data import astronaut

from daefr_arch.commands import cli, exit_codes

PAIRS = '2 1\nA 1 2\nA 1 B 1\nB 1 2\nA 2 B 2\n'


def test_aligned_faces(tmp_path, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    face = np.ascontiguousarray(astronaut()[20:180, 140:300, ::-1])
    noise = np.random.default_rng(0).integers(0, 256, face.shape, np.uint8)
    for name, first in (('A', face), ('B', noise)):
        (tmp_path / name).mkdir()
        for number, image in ((1, first), (2, cv2.GaussianBlur(first, (0, 0), 1))):
            cv2.imwrite(str(tmp_path / name / f'{name}_{number:04d}.jpg'), image)
    (tmp_path / 'pairs.txt').write_text(PAIRS)
    outputs = ['--roc', str(tmp_path / 'roc.csv'), '--json', str(tmp_path / 'out.json')]
    inputs = ['-i', str(tmp_path), '--pairs', str(tmp_path / 'pairs.txt'), '--has_aligned']
    assert cli.main(['verify', *inputs, '--identity-backend', 'dlib', *outputs]) == exit_codes.OK
    accuracy = json.loads((tmp_path / 'out.json').read_text())['accuracy']
    assert f'accuracy   {100 * accuracy:.2f}%' in caplog.text
    assert (tmp_path / 'roc.csv').read_text().startswith('threshold,far,tar\ninf,0.0,0.0\n')
    assert cli.main(['verify', *inputs, '--identity-backend', str(tmp_path / 'none.onnx')]) == exit_codes.FAILED
