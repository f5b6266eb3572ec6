import cv2
import numpy as np
import pytest

from daefr_arch.errors import InputError, UsageError
from daefr_arch.evaluation.evaluator import EvaluationPair, Evaluator
from daefr_arch.evaluation.report import MetricSummary
from daefr_arch.metrics.metric import SetMetric
from daefr_arch.metrics.niqe_metric import NIQE
from daefr_arch.metrics.psnr_metric import PSNR, daefr_psnr
from daefr_arch.metrics.ssim_metric import SSIM


class MeanLevel(SetMetric):
    name, title, protocol, needs_ground_truth = 'level', 'Level', 'mean of all pixels', False

    def __init__(self):
        self.levels = []

    def update(self, img, img2=None):
        self.levels.append(float(img.mean()))

    def compute(self):
        return float(np.mean(self.levels))

    def reset(self):
        self.levels = []


@pytest.fixture
def folders(tmp_path, sharp, degraded):
    for folder in ('results', 'truth'):
        (tmp_path / folder).mkdir()
    for name, shift in (('a', 0), ('b', 5)):
        cv2.imwrite(str(tmp_path / 'truth' / f'{name}.png'), sharp)
        cv2.imwrite(str(tmp_path / 'results' / f'{name}_00.png'), np.roll(degraded, shift, 1))
    return tmp_path / 'results', tmp_path / 'truth'


def test_folders_are_measured_by_name(folders, sharp, degraded):
    report = Evaluator([PSNR(), SSIM(), NIQE(), MeanLevel()]).run(*folders)
    expected = [daefr_psnr(degraded, sharp), daefr_psnr(np.roll(degraded, 5, 1), sharp)]
    assert [row.image for row in report.rows] == ['a', 'b']
    assert [row.values['psnr'] for row in report.rows] == pytest.approx(expected)
    assert report['psnr'].mean == pytest.approx(np.mean(expected))
    assert report['psnr'].half_width > 0
    assert report['level'].mean == pytest.approx(degraded.mean())
    assert report['level'].half_width is None
    assert 'level' not in report.rows[0].values
    assert report['level'].count == 2


def test_a_set_metric_starts_anew_with_every_run(folders):
    evaluator = Evaluator([MeanLevel()])
    assert evaluator.run(folders[0])['level'].mean == evaluator.run(folders[0])['level'].mean
    assert len(evaluator.metrics[0].levels) == 2


def test_without_ground_truth(folders):
    report = Evaluator([NIQE()]).run(folders[0])
    assert [row.image for row in report.rows] == ['a_00', 'b_00']
    with pytest.raises(UsageError, match='psnr need'):
        Evaluator([NIQE(), PSNR()]).run(folders[0])


def test_another_size_is_an_error(folders, sharp):
    cv2.imwrite(str(folders[1] / 'b.png'), sharp[:200])
    with pytest.raises(InputError, match='b: the result is 256x256, its ground truth 256x200'):
        Evaluator([PSNR()]).run(*folders)


def test_a_missing_file_is_an_error(folders):
    (folders[0] / 'a_00.png').unlink()
    with pytest.raises(InputError, match=r'1 ground truths without result: a\.png'):
        Evaluator([PSNR()]).run(*folders)


def test_missing_metrics_stay_in_the_report(sharp, degraded):
    absent = MetricSummary('lpips', 'LPIPS ↓', '', True, missing='no weights')
    report = Evaluator([PSNR()], missing=[absent]).measure([EvaluationPair('a', degraded, sharp)])
    assert report['lpips'].mean is None
    assert report.missing == (absent,)
    with pytest.raises(UsageError, match='lpips: no weights'):
        Evaluator([], missing=[absent])


def test_no_images():
    with pytest.raises(InputError, match='no images'):
        Evaluator([NIQE()]).measure([])
