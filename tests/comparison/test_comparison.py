import csv
import json

import cv2
import numpy as np
import pytest
from basicsr.archs import build_network

from daefr_arch.checkpoints import load_network, save_network
from daefr_arch.comparison import table
from daefr_arch.comparison.comparison import compare_methods
from daefr_arch.comparison.face_set import write_face_set
from daefr_arch.comparison.method import Method, parse_methods
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.evaluation.build import build_metrics
from daefr_arch.evaluation.evaluator import Evaluator
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.paster import RestoredFace, paste_faces
from daefr_arch.io.resize import resize_square
from daefr_arch.restoration.face_restorer import FaceRestorer, load_fusion
from daefr_arch.runtime.face_network import FaceNetwork
from tests.comparison.conftest import FACE, OPTIONS, OneFace


@pytest.fixture
def faces(photos, tmp_path):
    blurred, sharp = (sorted(folder.iterdir()) for folder in photos)
    return write_face_set(blurred, tmp_path / 'out', truths=sharp, detector=OneFace(), face_size=FACE)


@pytest.fixture
def evaluator(tmp_path, monkeypatch):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    metrics, missing = build_metrics(['fid', 'psnr'], skip_missing=True)
    return Evaluator(metrics, missing=missing)


def test_bare_faces_and_their_pasting(faces, evaluator, tiny_model, photos, tmp_path):
    result = compare_methods([Method('tiny', str(tiny_model))], faces, evaluator, device='cpu')
    network = FaceNetwork(load_network(tiny_model), device='cpu', precision='fp32')
    for entry in faces.photos:
        name = f'{entry.source.stem}_00'
        (expected,) = network.restore([faces.read('input', name)])
        np.testing.assert_array_equal(faces.read('tiny', name), expected)
        whole = cv2.imread(str(entry.source))
        paste_faces(whole, [RestoredFace(expected, feather_mask(FACE), entry.matrices[0])], 1)
        pasted = cv2.imread(str(tmp_path / f'out/tiny/final_results/{entry.source.stem}.png'))
        np.testing.assert_array_equal(pasted, whole)
    assert len(result.methods[1].cost.seconds) == 2
    assert min(result.methods[1].cost.seconds) > 0


def test_a_method_with_evidence_is_what_restoring_gives(faces, evaluator, tiny_model):
    methods = parse_methods([f'bare={tiny_model}', f'fused={tiny_model}+evidence'])
    result = compare_methods(methods, faces, evaluator, device='cpu')
    network = FaceNetwork(load_network(tiny_model), device='cpu', precision='fp32')
    restorer = FaceRestorer(network, load_fusion())
    for name in faces.names:
        crop = resize_square(faces.read('input', name), 256)
        ((fused, _),) = restorer.restore([crop])
        np.testing.assert_array_equal(faces.read('fused', name), resize_square(fused.face, FACE))
    bare, with_evidence = result.methods[1:]
    assert 'evidence' in with_evidence.description
    assert with_evidence.report['psnr'].mean > bare.report['psnr'].mean + 3  # an untrained network adds noise


def test_folders_are_paired_resized_and_measured(faces, evaluator, tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    for name in faces.names:
        truth = faces.read('ground_truth', name)
        cv2.imwrite(str(elsewhere / f'{name}.png'), cv2.resize(truth, None, fx=2, fy=2, interpolation=0))
    result = compare_methods([Method('perfect', str(elsewhere))], faces, evaluator, device='cpu')
    before, perfect = result.methods
    assert perfect.report['psnr'].mean == float('inf')
    assert 20 < before.report['psnr'].mean < 40
    assert perfect.cost.median is None
    assert result.missing
    (elsewhere / 'astronaut_00.png').unlink()
    with pytest.raises(InputError, match=r'without result: astronaut_00\.png'):
        compare_methods([Method('perfect', str(elsewhere))], faces, evaluator, device='cpu')


@pytest.mark.parametrize('part', ['codebook.embedding.weight', 'lq_encoder.conv_in.weight', 'position_embedding'])
def test_what_is_not_finite_stops_the_comparison(faces, evaluator, tmp_path, part):
    state = build_network(dict(OPTIONS)).state_dict()
    state[part].fill_(3e38)  # the file's numbers are finite, what is computed with them is not
    save_network(tmp_path / 'nan.safetensors', state, OPTIONS)
    with pytest.raises(WeightsError, match='method nan: the network output for astronaut_00 is not finite'):
        compare_methods([Method('nan', str(tmp_path / 'nan.safetensors'))], faces, evaluator, device='cpu')


def test_table_csv_and_json_agree(faces, evaluator, tiny_model):
    result = compare_methods([Method('tiny', str(tiny_model))], faces, evaluator, device='cpu')
    text, loaded = table.to_text(result), json.loads(table.to_json(result))
    rows = list(csv.DictReader(table.to_csv(result).splitlines()))
    assert [(row['method'], row['image']) for row in rows[3:]] == [
        ('tiny', 'astronaut_00'),
        ('tiny', 'hopper_00'),
        ('tiny', 'mean'),
    ]
    tiny = loaded['methods'][1]
    assert tiny['metrics'][0]['mean'] == pytest.approx(float(rows[5]['psnr']))
    assert float(rows[5]['psnr']) == pytest.approx((float(rows[3]['psnr']) + float(rows[4]['psnr'])) / 2)
    assert float(rows[5]['seconds']) == pytest.approx(tiny['seconds'])
    line = next(line for line in text.splitlines() if line.startswith('tiny '))
    assert f'{tiny["metrics"][0]["mean"]:.4f}' in line
    assert f'{tiny["seconds"]:.3f} [' in line
    assert 'missing' in line  # FID, whose weights are not there
    assert rows[5]['fid'] == 'missing'
