"""`daefr reconstruct` on small untrained autoencoders: files, numbers, kinds of checkpoints, wrong arguments."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch

from daefr_arch import checkpoints
from daefr_arch.analysis.codebook_files import load_autoencoder
from daefr_arch.analysis.codebook_path import CodebookPath
from daefr_arch.choices import CODEBOOK_PATHS
from daefr_arch.commands import cli, exit_codes
from daefr_arch.io.contact_sheet import GAP
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.runtime.face_network import FaceNetwork
from tests.analysis.autoencoders import SMALL, autoencoder
from tests.data.faces import face
from tests.golden_parameters import TINY_DAEFR, official_state_dict


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    torch.save({'params': autoencoder(1).state_dict()}, folder / 'hq.pth')
    options = {'type': 'DAEFRCodebook', **SMALL}
    checkpoints.save_network(folder / 'lq.safetensors', autoencoder(2).state_dict(), options)
    for name in ('codebook', 'association', 'daefr'):
        torch.save({'state_dict': official_state_dict(f'{name}_tiny')}, folder / f'{name}.ckpt')
    return folder


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / 'faces'
    folder.mkdir()
    write_image(folder / 'a.png', face(32))
    write_image(folder / 'b.jpg', face(48))
    return folder


@pytest.fixture
def run(files, faces, tmp_path):
    def run(paths, *arguments, hq='hq.pth', lq='lq.safetensors', source=faces):
        named = [part for flag, name in (('--hq', hq), ('--lq', lq)) if name for part in (flag, str(files / name))]
        output = ['-i', str(source), '-o', str(tmp_path / 'out'), '--device', 'cpu']
        return cli.main(['reconstruct', '--path', *paths.split(), *named, *output, *arguments])

    return run


def test_images_strips_and_statistics(run, files, tmp_path, caplog):
    caplog.set_level('INFO', logger='daefr_arch')
    assert run('hq lq hybrid', '--batch_size', '1') == exit_codes.OK
    out = tmp_path / 'out'
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob('*.*'))
    images = [f'{folder}/{name}.png' for folder in ('hq', 'hybrid', 'lq', 'strips') for name in 'ab']
    assert written == sorted([*images, 'code_counts.csv', 'statistics.json'])

    hq, lq = load_autoencoder(files / 'hq.pth', 'hq'), load_autoencoder(files / 'lq.safetensors', 'lq')
    strip = read_image(out / 'strips/a.png').pixels
    side = 160  # five times that of the faces
    assert strip.shape[1] == 4 * (side + GAP) + GAP
    tiles = [strip[-side - GAP : -GAP, left : left + side] for left in range(GAP, strip.shape[1], side + GAP)]
    for column, path in enumerate(CODEBOOK_PATHS, start=1):
        network = FaceNetwork(CodebookPath(path, hq, lq), device='cpu')
        expected = network.restore([face(32)])[0]
        result = read_image(out / path / 'a.png').pixels
        assert np.array_equal(result, expected)
        assert np.array_equal(tiles[column], expected.repeat(5, axis=0).repeat(5, axis=1))
    assert np.array_equal(tiles[0][::5, ::5], face(32))  # the input, not its channels reversed

    statistics = json.loads((out / 'statistics.json').read_text())
    assert statistics['left_out'] == {}
    assert [path['path'] for path in statistics['paths']] == list(CODEBOOK_PATHS)
    numbers = statistics['paths'][0]
    errors = [
        np.abs(resized.astype(float) - read_image(out / f'hq/{name}.png').pixels).mean() / 255
        for name, resized in (('a', face(32)), ('b', _at_32_px(tmp_path / 'faces/b.jpg')))
    ]
    assert numbers['l1']['mean'] == pytest.approx(np.mean(errors))
    counts = [int(row['hq']) for row in csv.DictReader((out / 'code_counts.csv').open())]
    assert (len(counts), sum(counts)) == (64, 2 * 16 * 16)
    assert numbers['codes_used'] == np.count_nonzero(counts) / 64
    for path in statistics['paths']:
        assert f'{path["perplexity"]:.4f}' in caplog.text


def _at_32_px(path):
    return cv2.resize(read_image(path).pixels, (32, 32), interpolation=cv2.INTER_AREA)


def test_one_path_needs_its_autoencoder_only_and_has_no_strips(run, tmp_path):
    assert run('lq', hq=None) == exit_codes.OK
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['code_counts.csv', 'lq', 'statistics.json']
    assert list(json.loads((tmp_path / 'out/statistics.json').read_text())['checkpoints']) == ['lq']


@pytest.mark.parametrize(
    ('paths', 'hq', 'lq'),
    [
        ('hq lq hybrid', 'association.ckpt', 'association.ckpt'),
        ('hq lq hybrid', 'codebook.ckpt', 'codebook.ckpt'),
        ('hq lq hybrid', 'daefr.ckpt', 'association.ckpt'),
    ],
)
def test_official_checkpoints_of_all_kinds(run, files, paths, hq, lq, tmp_path):
    assert run(paths, hq=hq, lq=lq) == exit_codes.OK
    parts = {
        domain: checkpoints.convert_official(official_state_dict(f'{name.split(".")[0]}_tiny'))
        for domain, name in (('hq', hq), ('lq', lq))
    }
    for domain, held in parts.items():
        expected = held.get(f'{domain}_codebook', held.get('codebook'))
        state_dict = load_autoencoder(files / {'hq': hq, 'lq': lq}[domain], domain).state_dict()
        assert all(torch.equal(state_dict[key], value) for key, value in expected.items())


def test_grey_alpha_16_bits_and_other_sizes(run, faces, tmp_path):
    (faces / 'b.jpg').unlink()
    deep = face(32).astype(np.uint16) * 257
    write_image(faces / 'deep.png', deep)
    write_image(faces / 'grey.png', face(100)[..., 1])
    cv2.imwrite(str(faces / 'alpha.png'), np.dstack((face(32), np.full((32, 32), 128, np.uint8))))
    write_image(faces / 'tiny.webp', face(9))
    assert run('hq') == exit_codes.OK
    results = {path.stem: read_image(path) for path in (tmp_path / 'out/hq').iterdir()}
    assert results.keys() == {'a', 'deep', 'grey', 'alpha', 'tiny'}
    assert {(photo.pixels.shape, photo.pixels.dtype) for photo in results.values()} == {
        ((32, 32, 3), np.dtype('uint8'))
    }
    for same in ('deep', 'alpha'):
        assert np.array_equal(results[same].pixels, results['a'].pixels)


def test_an_unreadable_image_does_not_stop_the_others(run, faces, tmp_path, caplog):
    (faces / 'broken.png').write_bytes((faces / 'a.png').read_bytes()[:300])
    assert run('hq hybrid') == exit_codes.PARTIAL
    statistics = json.loads((tmp_path / 'out/statistics.json').read_text())
    assert [path['images'] for path in statistics['paths']] == [2, 2]
    assert list(statistics['left_out']) == [str(faces / 'broken.png')]
    assert 'broken.png' in caplog.text
    for name in ('a.png', 'b.jpg'):
        (faces / name).unlink()
    assert run('hq', '--overwrite') == exit_codes.FAILED
    assert 'none of the 1 images can be read' in caplog.text


def test_wrong_arguments_are_found_before_work(run, files, faces, tmp_path, caplog):
    def refused(message, code=exit_codes.USAGE, paths='hybrid', *arguments, **options):
        caplog.clear()
        assert run(paths, *arguments, **options) == code
        assert message in caplog.text
        assert not (tmp_path / 'out').exists()

    refused('--path hybrid needs --lq', lq=None)
    refused('--path hybrid needs --hq', hq=None)
    refused('cuda:99 is not available here', exit_codes.USAGE, 'hybrid', '--device', 'cuda:99')
    large = autoencoder(3, resolution=64, attn_resolutions=[32])
    options = {'type': 'DAEFRCodebook', **SMALL, 'resolution': 64, 'attn_resolutions': [32]}
    checkpoints.save_network(files / 'large.safetensors', large.state_dict(), options)
    refused('--hq takes images of 32 px, --lq of 64 px', paths='hq lq', lq='large.safetensors')
    refused('do not fit each other', lq='association.ckpt')
    refused('missing.pth', exit_codes.FAILED, lq='missing.pth')
    refused("with the part 'lq_codebook', this one holds", exit_codes.FAILED, lq='daefr.ckpt')
    checkpoints.save_network(files / 'daefr.safetensors', _daefr().state_dict(), {'type': 'DAEFR', **TINY_DAEFR})
    refused('daefr.safetensors holds a DAEFR: expected an autoencoder', exit_codes.FAILED, hq='daefr.safetensors')
    write_image(faces / 'a.jpg', face(32))
    refused('would write the same names (a.png)', paths='hq')
    with pytest.raises(SystemExit) as end:
        run('hq lowq')
    assert end.value.code == exit_codes.USAGE


def _daefr():
    return checkpoints.create_network({'type': 'DAEFR', **TINY_DAEFR})


def test_existing_results_and_inputs_are_kept(run, faces, tmp_path, caplog):
    assert run('hq') == exit_codes.OK
    assert run('hq') == exit_codes.USAGE
    assert '4 results exist' in caplog.text
    assert '--overwrite' in caplog.text
    assert run('hq', '--overwrite') == exit_codes.OK
    assert run('hq', '--overwrite', source=tmp_path / 'out/hq') == exit_codes.USAGE
    assert 'would replace an input' in caplog.text
