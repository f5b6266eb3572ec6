import csv
import io

from daefr_arch.ablation.row_record import read_record, write_record
from daefr_arch.ablation.table import Table, TableRow
from daefr_arch.evaluation.report import MetricSummary, Report

PSNR = MetricSummary('psnr', 'PSNR ↑', 'how', False, mean=21.5, half_width=0.25, count=3)
LPIPS = MetricSummary('lpips', 'LPIPS', '', True, missing='no weights')


def _table():
    rows = (
        TableRow('input', 'the faces', (PSNR, LPIPS), {}),
        TableRow('a', 'HQ', (PSNR, LPIPS), {'psnr': 20.04, 'lpips': 0.4, 'fid': 3}, 'net.pth'),
    )
    return Table('Table 0', '3 faces', rows)


def test_markdown_has_the_papers_numbers_beside_ours():
    text = _table().to_markdown()
    lines = [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines() if line[:1] == '|']
    assert lines[0] == ['', '', 'PSNR ↑ paper', 'PSNR ↑ ours', 'LPIPS paper', 'LPIPS ours']
    assert lines[2] == ['input', 'the faces', '', '21.5000 ± 0.2500', '', 'missing']
    assert lines[3] == ['a', 'HQ', '20.040', '21.5000 ± 0.2500', '0.400', 'missing']
    assert len({len(line) for line in text.splitlines() if line[:1] == '|'}) == 1
    for note in ('3 faces', 'PSNR ↑: how', 'LPIPS: missing: no weights', 'a: net.pth'):
        assert f'- {note}\n' in text
    assert '3.000' not in text  # a metric of the paper that is not measured
    assert _table().missing


def test_csv_has_every_number():
    rows = list(csv.DictReader(io.StringIO(_table().to_csv())))
    assert rows[1] == {
        **{'row': 'a', 'what': 'HQ', 'psnr': '21.5', 'psnr_half_width_95': '0.25', 'psnr_paper': '20.04'},
        **{'lpips': 'missing', 'lpips_half_width_95': '', 'lpips_paper': '0.4'},
    }


def test_a_record_is_read_back(tmp_path):
    infinite = MetricSummary('ssim', 'SSIM', 'how', False, mean=float('inf'), count=3)
    written = write_record(tmp_path, {'options': {'lr': 1e-4, 'list': [1, None]}}, Report((PSNR, LPIPS, infinite), ()))
    assert read_record(tmp_path) == written
    assert read_record(tmp_path / 'nothing') is None
