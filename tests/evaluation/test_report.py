import csv
import io
import json
import math

import numpy as np
import pytest
from scipy.stats import t as student_t

from daefr_arch.evaluation.report import ImageRow, MetricSummary, Report, align, mean_and_half_width


@pytest.fixture
def report() -> Report:
    psnr = MetricSummary('psnr', 'PSNR [dB] ↑', 'protocol of psnr', False, mean=math.inf, count=2)
    fid = MetricSummary('fid', 'FID ↓', 'protocol of fid', True, mean=12.5, count=2)
    lpips = MetricSummary('lpips', 'LPIPS ↓', '', True, missing='vgg16-397923af.pth is not there')
    rows = (ImageRow('ä', {'psnr': math.inf}), ImageRow('b', {'psnr': 20.5}))
    return Report(metrics=(psnr, fid, lpips), rows=rows, results='out', ground_truth='gt')


def test_names_of_images_are_no_formulas():
    rows = tuple(ImageRow(name, {'psnr': -1.5}) for name in ('=1+1', '+1', '-1', '@A1', '\tx', 'a=b'))
    psnr = MetricSummary('psnr', 'PSNR', '', False, mean=-1.5, count=6)
    lines = list(csv.reader(io.StringIO(Report(metrics=(psnr,), rows=rows).to_csv())))
    assert [line[0] for line in lines[1:7]] == ["'=1+1", "'+1", "'-1", "'@A1", "'\tx", 'a=b']
    assert {line[1] for line in lines[1:8]} == {'-1.5'}


def test_interval_covers_the_mean_in_95_percent_of_samples():
    generator = np.random.default_rng(0)
    intervals = [mean_and_half_width(generator.normal(3, 2, 6)) for _ in range(4000)]
    covered = np.mean([abs(mean - 3) <= half_width for mean, half_width in intervals])
    assert covered == pytest.approx(0.95, abs=0.01)


def test_interval_is_students():
    values = [1.0, 4.0, 2.5, 7.0]
    low, high = student_t.interval(0.95, 3, loc=np.mean(values), scale=np.std(values, ddof=1) / 2)
    mean, half_width = mean_and_half_width(values)
    assert (mean - half_width, mean + half_width) == pytest.approx((low, high))


def test_one_image_or_an_infinite_value_has_no_interval():
    assert mean_and_half_width([3.0]) == (3.0, None)
    assert mean_and_half_width([3.0, math.inf]) == (math.inf, None)


def test_text_is_aligned_and_names_what_is_missing(report):
    lines = report.to_text().splitlines()
    assert lines[0].endswith('PSNR [dB] ↑')
    assert lines[1].startswith('ä')
    assert len(lines[0]) == len(lines[1]) == len(lines[2])
    assert any(line.startswith('FID ↓') and '12.5000' in line and 'protocol of fid' in line for line in lines)
    assert any('missing: vgg16-397923af.pth' in line for line in lines)


def test_csv_and_json_hold_every_number(report):
    rows = list(csv.reader(io.StringIO(report.to_csv())))
    assert rows[0] == ['image', 'psnr', 'fid', 'lpips']
    assert rows[2] == ['b', '20.5', '', '']
    assert rows[3] == ['mean', 'inf', '12.5', 'missing']
    loaded = json.loads(report.to_json())
    assert loaded['metrics'][0]['mean'] == 'inf'
    assert loaded['rows'][0]['values'] == {'psnr': 'inf'}
    assert loaded['metrics'][2]['missing']
    assert loaded['metrics'][2]['mean'] is None


def test_missing_metrics_are_found(report):
    assert [metric.name for metric in report.missing] == ['lpips']
    assert report['fid'].mean == 12.5


def test_align_puts_numbers_to_the_right():
    assert align([['a', 'number', 'note'], ['long', '1.5', 'x']], text_columns=(0, 2)) == [
        'a     number  note',
        'long     1.5  x',
    ]
