"""`daefr ablate` end to end at tiny size: what the four tables say, and networks at hand instead of trainings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from basicsr.archs import build_network

from daefr_arch.ablation.ablation import Ablation
from daefr_arch.ablation.row_network import load_row_network
from daefr_arch.ablation.row_record import read_record
from daefr_arch.ablation.table_config import read_table_config
from daefr_arch.ablation.training import plan_trainings, read_training
from daefr_arch.checkpoints import load_stage_network
from daefr_arch.commands.cli import main
from daefr_arch.evaluation.evaluator import Evaluator
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.metrics.psnr_metric import PSNR
from daefr_arch.runtime.face_network import FaceNetwork
from tests.ablation.tables import FORCED, NAMES, ROWS, STAGES, TABLES, ablate, checkpoint, table_file
from tests.models.stages import ROOT


@pytest.mark.parametrize('table', TABLES)
def test_a_table_is_trained_restored_and_measured(tiny_tables, work, table):
    assert tiny_tables.codes[table] == 0
    output = work / f'results/{table}'
    rows = tiny_tables.numbers(table)
    assert [row['row'] for row in rows] == ['input', *ROWS[table]]
    for row in rows:
        assert sorted(path.stem for path in list_images(output / row['row'])) == NAMES
        record = read_record(output / row['row'])
        assert float(row['psnr']) == record.metrics[0].mean
        assert float(row['psnr_half_width_95']) > 0
    text = (output / 'table.md').read_text()
    config = read_table_config(table_file(table))
    assert all(f'| {row.name} ' in text and row.what in text for row in config.rows)
    assert all(note in text for note in ('4 faces of 32x32 pixels', 'BasicSR: 8-bit RGB', "Student's t"))
    assert ('PSNR [dB] ↑ paper' in text) == (table == 'table3')
    assert sorted(path.stem for path in list_images(output / 'strips')) == NAMES
    shapes = {read_image(path).pixels.shape for path in list_images(output / 'strips')}
    assert len(shapes) == 1
    assert shapes.pop()[1] == (len(rows) + 1) * 164 + 4


def test_each_training_runs_once_and_after_what_it_starts_from(tiny_tables, work):
    assert tiny_tables.trained == {
        'table2': [
            *('stage1_hq', 'table2_a', 'stage1_lq', 'table2_b', 'table2_c', 'stage2_association', 'table2_d'),
            'table2_e',
        ],
        'table6': ['table6_l1', 'table6_l2', 'table6_cross_entropy'],
        'fig7': ['fig7_a', 'fig7_b'],
        'table3': ['stage3_restoration', 'table3_control'],
    }
    assert not list(Path('experiments').glob('*_archived_*'))


def test_numbers_are_those_of_daefr_evaluate(tiny_tables, work, tmp_path):
    folder = 'results/table2/c'
    report = tmp_path / 'report.json'
    assert main(['evaluate', folder, '-g', 'datasets/tiny_test/gt', '--metrics', 'psnr', '--json', str(report)]) == 0
    row = next(row for row in tiny_tables.numbers('table2') if row['row'] == 'c')
    assert json.loads(report.read_text())['metrics'][0]['mean'] == pytest.approx(float(row['psnr']))


def _load(options, file):
    network = build_network(dict(options))
    load_stage_network(network, file, 'daefr')
    return network.eval()


def test_scale_zero_is_the_plain_network_bit_for_bit(work):
    options = read_training(ROOT / 'options/tiny/stage3_restoration.yml').options
    plain = _load(options['network_g'], checkpoint('stage3_restoration'))
    faces = [read_image(f'results/table3/input/{name}.png').pixels for name in NAMES]
    for name, restored in zip(NAMES, FaceNetwork(plain, device='cpu', precision='fp32').restore(faces), strict=True):
        rows = [read_image(f'results/table3/{row}/{name}.png').pixels for row in ROWS['table3']]
        assert (rows[0] == restored).all()
        assert all((row != restored).any() for row in rows[1:])


@pytest.mark.parametrize(('table', 'row', 'stem'), [('table6', 'L1', 'table6_l1'), ('fig7', 'a', 'fig7_a')])
@torch.no_grad()
def test_association_rows_decode_lq_features_with_the_hq_codebook(work, table, row, stem):
    options = read_training(table_file(table).with_name(f'{stem}.yml')).options
    hq, lq = (_load(options[f'network_{label}'], checkpoint(stem, label)) for label in ('hq', 'lq'))
    for name in NAMES:
        degraded, restored = (
            torch.from_numpy(read_image(f'results/{table}/{folder}/{name}.png').pixels[..., ::-1].copy())
            for folder in ('input', row)
        )
        expected = hq.decode(hq.codebook(lq.encode(degraded.permute(2, 0, 1)[None] / 127.5 - 1)).codes)
        difference = restored.permute(2, 0, 1) - (expected[0].clamp(-1, 1) + 1) * 127.5
        assert difference.abs().max() < 0.51  # rounded to 8 bits


def test_checkpoints_at_hand_are_taken_and_nothing_is_trained(tiny_tables, work, tmp_path, no_training):
    """In a folder without any experiment or data set: the checkpoints and the test set are all that is needed."""
    checkpoints = [f'{stem}={checkpoint(stem)}' for stem in (f'table2_{letter}' for letter in 'abcde')]
    pairs = [f'{checkpoint(stem, "hq")},{checkpoint(stem, "lq")}' for stem in ('fig7_a', 'fig7_b')]
    test_set = ['-i', work / 'datasets/tiny_test/lq', '-g', work / 'datasets/tiny_test/gt']
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert ablate('table2', *test_set, '--strips', 1, '--checkpoint', *checkpoints) == 0
        assert ablate('fig7', *test_set, '--checkpoint', f'fig7_a={pairs[0]}', f'fig7_b={pairs[1]}') == 0
    for table in ('table2', 'fig7'):
        assert (tmp_path / f'results/{table}/table.csv').read_bytes() == (
            work / f'results/{table}/table.csv'
        ).read_bytes()
    assert not (tmp_path / 'experiments').exists()
    assert [path.name for path in (tmp_path / 'results/table2/strips').iterdir()] == [f'{NAMES[0]}.png']


def _plan(*rows, config='table2'):
    """Stems of what is trained for the rows in an empty folder."""
    table = read_table_config(table_file(config))
    trainings = {file: read_training(file) for file in (*table.stages, *(row.options for row in table.rows))}
    wanted = [trainings[row.options] for row in table.rows if row.name in rows]
    return [training.stem for training in plan_trainings(wanted, list(trainings.values()))]


def test_stages_that_no_row_needs_are_not_trained(empty_work):
    assert _plan('a') == ['stage1_hq', 'table2_a']
    assert _plan('a', 'b') == ['stage1_hq', 'table2_a', 'stage1_lq', 'table2_b']
    assert _plan('d') == [*STAGES, 'stage2_association', 'table2_d']
    assert _plan() == []
    assert _plan('s_lq=0.2', config='table3') == [*STAGES, 'stage2_association', 'stage3_restoration', 'table3_control']


def test_a_missing_metric_is_named_and_the_exit_code_is_partial(tiny_tables, work, tmp_path, no_training, monkeypatch):
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path / 'empty'))
    arguments = ['--metrics', 'psnr', 'lpips', '--lpips-net', 'vgg']
    assert ablate('fig7', *arguments, output=tmp_path / 'out') == 1
    assert not (tmp_path / 'out').exists()
    assert ablate('fig7', *arguments, '--skip-missing', output=tmp_path / 'out') == 3
    text = (tmp_path / 'out/table.md').read_text()
    assert '- LPIPS: missing: vgg16' in text
    assert text.count('missing |') == 3
    assert (tmp_path / 'out/table.csv').read_text().count('missing') == 3


def test_moving_averages_are_preferred(work, tmp_path):
    config = read_table_config(table_file('table2'))
    training = read_training(config.rows[0].options)
    weights = torch.load(checkpoint('table2_a'), weights_only=True)
    average = {key: value + 1 for key, value in weights['params'].items()}
    torch.save({**weights, 'params_ema': average}, tmp_path / 'net.pth')
    network = load_row_network(config.rows[0], training, {'g': tmp_path / 'net.pth'})
    assert all(torch.equal(value, average[key]) for key, value in network.state_dict().items())


def test_faces_and_truths_of_other_sizes_are_resized(work, tmp_path, no_training):
    for folder in ('lq', 'gt'):
        (tmp_path / folder).mkdir()
        for index, path in enumerate(list_images(f'datasets/tiny_test/{folder}')):
            pixels = read_image(path).pixels
            larger = pixels.repeat(2, 0).repeat(2, 1) if (folder, index) != ('gt', 0) else pixels
            write_image(tmp_path / folder / path.name, larger)
    config = read_table_config(table_file('table2'))
    config = replace(config, lq=tmp_path / 'lq', gt=tmp_path / 'gt', rows=config.rows[:1])
    table = Ablation(config, tmp_path / 'out', Evaluator([PSNR()]), forced=FORCED, device='cpu').run()
    expected = read_record(Path('results/table2/a')).metrics[0].mean  # averaging undoes the enlargement
    assert table.rows[1].metrics[0].mean == pytest.approx(expected)
