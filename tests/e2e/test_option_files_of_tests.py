"""The files of options/test with the default model, through BasicSR's test pipeline, as `daefr test` runs them."""

import re

import cv2
import numpy as np
import pytest
import torch
import yaml
from basicsr.metrics.psnr_ssim import calculate_psnr
from skimage.data import astronaut

from daefr_arch.checkpoints import DEFAULT_MODEL, find, load_network, read_checkpoint
from daefr_arch.commands import cli
from daefr_arch.io.tensors import to_images, to_tensor
from tests.models.stages import ROOT

FILES = sorted((ROOT / 'options/test').glob('*.yml'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_a_test_file_restores_and_measures(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    face = cv2.resize(np.ascontiguousarray(astronaut()[:220, 120:340, ::-1]), (256, 256))
    for folder, image in (('gt', face), ('lq', cv2.GaussianBlur(face, (0, 0), 3))):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / 'astronaut.png'), image)
    options = yaml.safe_load(file.read_text())
    (dataset,) = options['datasets'].values()
    changes = {
        'base': str(file),
        'datasets': {'test': {key: key[-2:] for key in dataset if key.startswith('dataroot_')}},
        'network_g': read_checkpoint(find(DEFAULT_MODEL)).options,
        'path': {'pretrain_network_g': str(find(DEFAULT_MODEL))},
        'num_gpu': 0,
    }
    (tmp_path / 'small.yml').write_text(yaml.safe_dump(changes))
    assert cli.main(['test', '-opt', 'small.yml']) == 0

    results = tmp_path / 'results' / options['name']
    (written,) = (results / 'visualization' / dataset['name']).iterdir()
    assert written.name == f'astronaut_{options["name"]}.png'
    restored = cv2.imread(str(written))
    with torch.no_grad():
        (expected,) = to_images(load_network(DEFAULT_MODEL)(to_tensor(cv2.imread('lq/astronaut.png')))[0])
    assert np.abs(expected.astype(int) - restored).max() <= 1
    log = next(results.glob('test_*.log')).read_text()
    measured = dict(re.findall(r'(\w+): ([\d.]+)', log.split('Validation ')[-1]))
    assert measured.keys() >= options['val']['metrics'].keys()
    if 'psnr' in measured:
        assert float(measured['psnr']) == pytest.approx(calculate_psnr(restored, face, 0), abs=1e-3)
