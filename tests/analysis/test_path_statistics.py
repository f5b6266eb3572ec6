import csv
import io
import math

import numpy as np
import pytest
import torch

from daefr_arch.analysis.path_statistics import PathRecord, code_distances, to_content, to_csv, to_text
from daefr_arch.archs.codebook_arch import CodebookOutput


def output(indices, feature, codes):
    return CodebookOutput(torch.zeros(0), feature, codes, torch.tensor(indices))


def record():
    """Two images of two features each: codes 0, 0 and 0, 2 of four."""
    record = PathRecord('hq', 4)
    codes = torch.zeros(1, 2, 1, 2)
    record.add_codes(output([[0, 0]], torch.tensor([[[[3.0, 0.0]], [[4.0, 1.0]]]]), codes))  # at distances 5 and 1
    record.add_codes(output([[0, 2]], codes + 1, codes + 1))
    face = np.zeros((4, 4, 3), np.uint8)
    record.add_image(face, face + np.uint8(51))  # an error of 0.2 everywhere
    record.add_image(face, face + np.uint8(102))
    return record


def test_numbers_by_hand():
    statistics = record().summary()
    assert statistics.counts == (3, 0, 1, 0)
    assert (statistics.images, statistics.codes_used) == (2, 0.5)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert statistics.perplexity == pytest.approx(math.exp(entropy))
    assert statistics.code_distance.mean == pytest.approx((3 + 0) / 2)
    assert statistics.psnr.mean == pytest.approx(-20 * math.log10(0.2) / 2 - 20 * math.log10(0.4) / 2)
    assert statistics.l1.mean == pytest.approx(0.3)
    # t(0.975, 1) = 12.706; the standard error of 0.2 and 0.4 is 0.1
    assert statistics.l1.half_width_95 == pytest.approx(1.2706, abs=1e-4)


def test_distances_are_those_of_each_image():
    feature, codes = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    expected = [
        np.mean([np.linalg.norm((f - c)[:, row, column]) for row in range(3) for column in range(4)])
        for f, c in zip(feature.numpy(), codes.numpy(), strict=True)
    ]
    assert code_distances(feature, codes).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_most_even_use_has_the_number_of_codes_as_perplexity():
    even = PathRecord('hq', 4)
    even.add_codes(output([[0, 1, 2, 3]], torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)))
    even.add_image(*np.zeros((2, 4, 4, 3), np.uint8))
    statistics = even.summary()
    assert (statistics.codes_used, statistics.perplexity) == (1, pytest.approx(4))
    assert (statistics.psnr.mean, statistics.psnr.half_width_95) == (math.inf, None)
    assert statistics.l1.half_width_95 is None


def test_table_csv_and_content():
    statistics = [record().summary(), PathRecord('lq', 2)]
    statistics[1].add_codes(output([[1]], torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)))
    statistics[1].add_image(*np.zeros((2, 4, 4, 3), np.uint8))
    statistics[1] = statistics[1].summary()
    header, hq, lq, note = to_text(statistics).splitlines()
    assert header.split()[:2] == ['path', 'images']
    assert '2 of 4 (50.0%)' in hq
    assert '0.3000 ± 1.2706' in hq
    assert lq.split()[-2:] == ['inf', '0.0000']
    assert '95%' in note
    rows = list(csv.DictReader(io.StringIO(to_csv(statistics))))
    assert [row['hq'] for row in rows] == ['3', '0', '1', '0']
    assert [row['lq'] for row in rows] == ['0', '1', '', '']
    content = to_content(statistics)
    assert content[0]['l1'] == {'mean': pytest.approx(0.3), 'half_width_95': pytest.approx(1.2706, abs=1e-4)}
    assert content[1]['codebook_size'] == 2
