import cv2
import numpy as np
import pytest
import torch
from basicsr.metrics import calculate_metric
from facexlib.alignment import awing_arch

from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import face_template
from daefr_arch.metrics.face_landmarks import AWingLandmarks, DlibLandmarks, build_landmark_detector, heatmap_peaks
from daefr_arch.metrics.lmd_metric import LMD, daefr_lmd, landmark_distance


def test_distance_is_in_pixels_of_512(sharp):
    points = face_template(256)
    assert landmark_distance(points, points + np.array([3, 4]), face_size=256) == pytest.approx(10)


def test_dlib_finds_the_eyes_of_the_template(sharp):
    points = DlibLandmarks().landmarks(sharp)
    assert points.shape == (68, 2)
    eyes = np.array([points[36:42].mean(0), points[42:48].mean(0)])
    assert np.linalg.norm(eyes - face_template(256)[:2], axis=1).max() < 8


def test_a_shifted_face_is_as_far_as_it_was_shifted(sharp):
    shifted = cv2.warpAffine(sharp, np.float64([[1, 0, 4], [0, 1, 3]]), (256, 256), borderMode=cv2.BORDER_REPLICATE)
    assert LMD('dlib')(shifted, sharp) == pytest.approx(10, rel=0.15)  # 5 pixels of 256 are 10 of 512
    assert daefr_lmd(sharp, sharp, backend='dlib') == 0


def test_options_of_basicsr(sharp, degraded):
    value = calculate_metric({'img': degraded, 'img2': sharp}, {'type': 'daefr_lmd', 'backend': 'dlib'})
    assert value == LMD('dlib')(degraded, sharp) > 0


def test_peaks_are_facexlibs(monkeypatch):
    monkeypatch.setattr(awing_arch.np, 'float', float, raising=False)  # facexlib uses NumPy 1's name
    heatmaps = np.zeros((6, 64, 64))
    heatmaps[:, 1:-1, 1:-1] = np.random.default_rng(0).random((6, 62, 62))
    assert heatmap_peaks(heatmaps) == pytest.approx(awing_arch.calculate_points(heatmaps[None])[0])


def test_peak_at_the_rim():
    heatmap = np.zeros((1, 4, 4))
    heatmap[0, 0, 3] = 1
    assert heatmap_peaks(heatmap).tolist() == [[3.5, 0.5]]


def test_awing_is_facexlibs_network_on_rgb(tmp_path, monkeypatch, sharp):
    monkeypatch.setattr(awing_arch, 'calculate_points', lambda heatmaps: heatmap_peaks(heatmaps[0]))
    torch.manual_seed(0)
    network = awing_arch.FAN(num_modules=4, num_landmarks=98, device='cpu').eval()
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'random.pth')
    small = np.ascontiguousarray(sharp[:200, :200])
    points = AWingLandmarks(weights=tmp_path / 'random.pth').landmarks(small)
    with torch.no_grad():
        assert points == pytest.approx(network.get_landmarks(small), abs=1e-3)
        assert not np.allclose(points, network.get_landmarks(small[:, :, ::-1]), atol=1e-3)


def test_missing_and_unknown_backends(tmp_path, monkeypatch):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r'alignment_WFLW_4HG\.pth'):
        AWingLandmarks()
    with pytest.raises(InputError, match='awing or dlib'):
        build_landmark_detector('fan')
