"""`daefr similarity` on small untrained autoencoders: numbers, figure, wrong arguments."""

import json

import numpy as np
import pytest
import torch

from daefr_arch.analysis.similarity import place_agreement
from daefr_arch.analysis.similarity_figure import DOTS_PER_INCH, SIDE
from daefr_arch.commands import cli, exit_codes
from daefr_arch.evaluation.report import mean_and_half_width
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.tensors import to_tensor
from daefr_arch.losses.association_loss import association_matrix
from tests.analysis.autoencoders import autoencoder
from tests.data.faces import face
from tests.golden_parameters import official_state_dict


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    for name, seed in (('hq', 1), ('lq', 2)):
        torch.save({'params': autoencoder(seed).state_dict()}, folder / f'{name}.pth')
    torch.save({'state_dict': official_state_dict('association_tiny')}, folder / 'association.ckpt')
    return folder


@pytest.fixture
def faces(tmp_path):
    for folder in ('lq', 'gt'):
        (tmp_path / folder).mkdir()
    for index, size in enumerate((32, 32, 50)):
        clean = np.roll(face(size), 5 * index, axis=1)
        write_image(tmp_path / f'gt/{index}.png', clean)
        write_image(tmp_path / f'lq/{index}_00.png', clean // 2)
    return tmp_path


@pytest.fixture
def run(faces):
    def run(*pairs, output='similarity.png', extra=()):
        named = [part for pair in pairs for part in ('--pair', pair)]
        folders = ['-i', str(faces / 'lq'), '-g', str(faces / 'gt'), '-o', str(faces / output), '--device', 'cpu']
        return cli.main(['similarity', *named, *folders, *extra])

    return run


def test_figure_and_numbers(run, files, faces, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    pairs = [
        f'both={files}/hq.pth,{files}/lq.pth',
        f'same={files}/hq.pth,{files}/hq.pth',
        f'official={files}/association.ckpt',
    ]
    assert run(*pairs, output='new/figure.png', extra=['--batch_size', '2']) == exit_codes.OK
    content = json.loads((faces / 'new/figure.json').read_text())
    assert [pair['name'] for pair in content['pairs']] == ['both', 'same', 'official']
    both = content['pairs'][0]
    assert (both['images'], both['patches']) == (3, 256)
    assert both['checkpoints'] == [f'{files}/hq.pth', f'{files}/lq.pth']

    nets = autoencoder(1), autoencoder(2)
    agreements = []
    for index in range(2):  # the two that need no resizing
        clean = read_image(faces / f'gt/{index}.png').pixels
        with torch.no_grad():
            features = [net.encode(to_tensor(img)) for net, img in zip(nets, (clean, clean // 2), strict=True)]
        agreements.append(place_agreement(association_matrix(*features)))
    (faces / 'gt/2.png').unlink()
    (faces / 'lq/2_00.png').unlink()
    assert run(pairs[0]) == exit_codes.OK
    both = json.loads((faces / 'similarity.json').read_text())['pairs'][0]
    for name in ('hq_to_lq', 'lq_to_hq', 'diagonal', 'off_diagonal'):
        mean, half_width = mean_and_half_width([getattr(agreement, name).item() for agreement in agreements])
        rounding = 1e-5 if 'diagonal' in name else 1 / 256  # one patch of nearly equal neighbours may change its mind
        assert both[name]['mean'] == pytest.approx(mean, abs=rounding)
        assert both[name]['half_width_95'] == pytest.approx(half_width, abs=13 * rounding)
        assert f'{both[name]["mean"]:.4f} ± ' in caplog.text


def test_the_figure_shows_the_mean_matrices_in_one_colour_scale(run, files, faces):
    pair = f'{files}/hq.pth,{files}/hq.pth'
    for index in range(3):  # the encoder against itself, on equal images: ones on the diagonal
        write_image(faces / f'lq/{index}_00.png', read_image(faces / f'gt/{index}.png').pixels)
    assert run(f'a={pair}', f'b={pair}') == exit_codes.OK
    figure = read_image(faces / 'similarity.png').pixels
    height, width = figure.shape[:2]
    assert width > 1.9 * SIDE * DOTS_PER_INCH > 0.9 * height
    yellow = (np.abs(figure.astype(int) - (36, 231, 253)) < 8).all(axis=2)  # viridis' highest colour, BGR
    halves = yellow[:, : width // 2].sum(), yellow[:, width // 2 : -width // 10].sum()
    assert min(halves) > 500
    assert (figure[[0, -1]] == 255).all()  # nothing is cut off at the edges
    assert (figure[:, [0, -1]] == 255).all()


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, files, faces, caplog):
    (faces / 'gt/1.png').write_bytes(b'no image')
    assert run(f'a={files}/association.ckpt') == exit_codes.PARTIAL
    content = json.loads((faces / 'similarity.json').read_text())
    assert content['pairs'][0]['images'] == 2
    assert list(content['left_out']) == [str(faces / 'lq/1_00.png')]
    for name in ('0', '2'):
        (faces / f'lq/{name}_00.png').write_bytes(b'no image')
    assert run(f'a={files}/association.ckpt', extra=['--overwrite']) == exit_codes.FAILED
    assert 'none of the 3 images can be read' in caplog.text


def test_wrong_arguments_are_found_before_work(run, files, faces, caplog, monkeypatch):
    pair = f'a={files}/association.ckpt'

    def refused(message, *pairs, code=exit_codes.USAGE, **options):
        caplog.clear()
        assert run(*pairs, **options) == code
        assert message in caplog.text
        assert not list(faces.glob('sim*'))

    for wrong in ('a', 'a=', '=b.pth', 'a=b.pth,', 'a=b.pth,c.pth,d.pth'):
        refused('expected NAME=HQ_FILE[,LQ_FILE]', wrong)
    refused("the name 'a' is given twice", pair, pair)
    refused('expected a name ending in .png', pair, output='similarity.jpg')
    refused('do not fit each other', f'a={files}/hq.pth,{files}/association.ckpt')
    refused('name the LQ file too', f'a={files}/hq.pth', code=exit_codes.FAILED)
    refused('no weight file', 'a=missing.pth', code=exit_codes.FAILED)
    (faces / 'lq/0_00.png').unlink()
    refused('1 ground truths without result: 0.png', pair, code=exit_codes.FAILED)


def test_existing_results_are_kept(run, files, faces, caplog):
    (faces / 'similarity.json').write_text('{}')
    assert run(f'a={files}/association.ckpt') == exit_codes.USAGE
    assert '1 results exist' in caplog.text
    assert not (faces / 'similarity.png').exists()
    assert run(f'a={files}/association.ckpt', extra=['--overwrite']) == exit_codes.OK
    assert json.loads((faces / 'similarity.json').read_text())['pairs']
