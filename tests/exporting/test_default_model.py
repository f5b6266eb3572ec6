"""The default model as users export it, beside PyTorch on real faces: the command, then the other files."""

import logging

import numpy as np
import onnx
import pytest

from daefr_arch.checkpoints import load_network, read_provenance, weights_hash
from daefr_arch.commands import cli, exit_codes
from daefr_arch.commands.export import sample_faces
from daefr_arch.exporting.export import change
from daefr_arch.exporting.parity import LIMITS, measure_parity
from tests.models.stages import ROOT

FILE = ROOT / 'weights/daefr_lite_256.safetensors'


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """(file, what the command printed)."""
    path = tmp_path_factory.mktemp('export') / 'lite.onnx'
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger('daefr_arch.commands.export')
    logger.addHandler(handler)
    try:
        assert cli.main(['export', str(path), '--offline']) == exit_codes.OK
    finally:
        logger.removeHandler(handler)
    return path, lines


@pytest.fixture(scope='module')
def network():
    return load_network(FILE).requires_grad_(False)


def test_the_command_prints_its_parity_at_three_batches_and_strengths(exported):
    """It fails where the parity does: tests/commands."""
    _, lines = exported
    passes = [line.partition(':')[0] for line in lines[1:]]
    assert passes == ['batch 1, weight 0', 'batch 3, weight 1', 'batch 8, weight 0.5']
    assert all(': 100.00% of the codes, PSNR' in line for line in lines[1:])


def test_the_file_says_what_it_is(exported, network):
    path, _ = exported
    model = onnx.load(path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties['weights_sha256'] == weights_hash(network.state_dict())
    assert properties['source'] == FILE.name
    assert properties['licence'].startswith('research, non-commercial')
    provenance = read_provenance(FILE)
    assert ('provenance' in properties) == (provenance is not None)


@pytest.mark.parametrize(
    ('precision', 'layout', 'passes'),
    [('mixed', 'daefr', ((3, 0.5),)), ('fp32', 'codeformer', ((1, 1.0),)), ('mixed', 'codeformer', ((1, 0.0),))],
)
def test_other_files_of_the_same_network(exported, network, tmp_path, precision, layout, passes):
    model = onnx.load(exported[0])
    change(model, precision=precision, layout=layout)
    path = tmp_path / 'other.onnx'
    onnx.save(model, path)
    assert path.stat().st_size < exported[0].stat().st_size * (0.51 if precision == 'mixed' else 1.01)
    faces = sample_faces(512 if layout == 'codeformer' else 256)
    assert len(faces) == 8
    (parity,) = measure_parity(path, network, faces, passes)
    limits = LIMITS[precision]
    assert parity.code_agreement >= limits.code_agreement
    assert limits.psnr <= parity.psnr < np.inf
