"""Photos through the whole pipeline: the embedded detector, and the default model where the picture matters."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from daefr_arch.commands import cli, exit_codes
from daefr_arch.commands.demo import COLUMNS, TILE, sample_photos
from daefr_arch.io.contact_sheet import contact_sheet
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from daefr_arch.restoration.restorer import DAEFRRestorer
from tests.faces.photos import FakeNetwork, astronaut, nothing_shown

ORIENTATION = 274


@pytest.fixture(scope='module')
def fast_restorer():
    """Finds and pastes real faces; its network brightens them instead of restoring them."""
    network = FakeNetwork(brightness=0.5)
    return DAEFRRestorer(network, upscale=2, device='cpu', precision='fp32', fusion=nothing_shown(), offline=True)


def restore(restorer, folder, root, **options):
    sources = sorted(folder.iterdir())
    layout = OutputLayout(root, **options)
    restore_photos(restorer, sources, layout, report=root / 'report.jsonl')
    lines = [json.loads(line) for line in (root / 'report.jsonl').read_text().splitlines()]
    return {source.stem: (line, layout.result(source)) for source, line in zip(sources, lines, strict=True)}


def test_folder_of_everything(tmp_path, fast_restorer):
    folder = tmp_path / 'photos with spaces – 写真'  # noqa: RUF001
    folder.mkdir()
    photo = astronaut()[:256, 96:352]  # one face
    rgb = Image.fromarray(np.ascontiguousarray(photo[..., ::-1]))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    rgb.transpose(Image.Transpose.ROTATE_90).save(folder / 'turned.jpg', exif=exif, quality=95)
    rgb.convert('CMYK').save(folder / 'cmyk.jpg', quality=95)
    rgb.convert('L').save(folder / 'grey.jpg', quality=95)
    rgb.save(folder / 'animated.gif', save_all=True, append_images=[rgb.rotate(9)])
    rgb.save(folder / 'animated_webp.webp', save_all=True, append_images=[rgb.rotate(9)], quality=95)
    alpha = np.full(photo.shape[:2], 128, np.uint8)
    write_image(folder / 'photo.png', photo)
    Image.fromarray(np.dstack((np.asarray(rgb), alpha))).save(folder / 'transparent.png')
    cv2.imwrite(str(folder / 'deep.png'), photo.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / 'deep_tiff.tif'), photo.astype(np.uint16) * 257)
    write_image(folder / 'one_pixel.png', np.full((1, 1, 3), 9, np.uint8))
    write_image(folder / 'strip.png', np.full((20, 30_000, 3), 127, np.uint8))
    write_image(folder / 'no_face.png', astronaut()[300:500, :200])
    (folder / 'empty.jpg').touch()
    (folder / 'text.jpg').write_text('no image')
    (folder / 'cut.png').write_bytes((folder / 'photo.png').read_bytes()[:9000])

    results = restore(fast_restorer, folder, tmp_path / 'out')
    status = {name: line['status'] for name, (line, _) in results.items()}
    assert {name for name, value in status.items() if value == 'error'} == {'empty', 'text'}
    assert {name for name, value in status.items() if value == 'damaged'} == {'cut'}
    assert {name for name, value in status.items() if value == 'no_face'} == {'one_pixel', 'strip', 'no_face'}
    for name, (line, path) in results.items():
        assert path.exists() == (line['status'] != 'error')
        assert line['outputs'].get('photo', []) == ([str(path)] if path.exists() else [])
        assert len(line['faces']) == (1 if line['status'] == 'ok' else 0)
        if line['status'] == 'ok':
            restored = read_image(path)
            assert restored.pixels.shape == (512, 512, 3)
            unchanged = cv2.resize(photo, (512, 512), interpolation=cv2.INTER_LANCZOS4)
            if name == 'photo':
                changed = (restored.pixels != unchanged).any(axis=2)
                x0, y0, x1, y1 = (round(2 * value) for value in line['faces'][0]['box'])
                assert changed[(y0 + y1) // 2, (x0 + x1) // 2]
                assert not changed[:, :40].any()
                assert 0.02 < changed.mean() < 0.7
    assert read_image(results['one_pixel'][1]).pixels.shape == (2, 2, 3)
    assert read_image(results['strip'][1]).pixels.shape == (40, 60_000, 3)
    assert (read_image(results['transparent'][1]).alpha == 128).all()
    for name in ('deep', 'deep_tiff'):
        assert read_image(results[name][1]).pixels.dtype == np.uint16
    assert cv2.imread(str(results['grey'][1]), cv2.IMREAD_UNCHANGED).ndim == 2
    assert np.allclose(results['turned'][0]['faces'][0]['box'], results['photo'][0]['faces'][0]['box'], atol=2)
    assert 'first frame' in results['animated'][0]['warnings'][0]


def test_a_hundred_faces_in_one_photo(tmp_path, fast_restorer):
    (tmp_path / 'photos').mkdir()
    tile = astronaut()[40:200, 145:305]
    write_image(tmp_path / 'photos/crowd.jpg', np.tile(tile, (10, 10, 1)))
    ((line, path),) = restore(fast_restorer, tmp_path / 'photos', tmp_path / 'out').values()
    assert (line['status'], len(line['faces'])) == ('ok', 100)
    assert len(line['outputs']['restored_faces']) == 100
    assert read_image(path).pixels.shape == (3200, 3200, 3)


def test_demo_brings_the_faces_nearer_to_the_originals(tmp_path):
    """The default model on real photos. Distance: of the gradients inside the face, which blur takes away."""
    assert cli.main(['demo', '-o', str(tmp_path), '--device', 'cpu']) == exit_codes.OK
    originals = sample_photos()
    lines = [json.loads(line) for line in (tmp_path / 'report.jsonl').read_text().splitlines()]
    for (name, original), line in zip(originals.items(), lines, strict=True):
        degraded = read_image(tmp_path / f'degraded/{name}.png').pixels
        restored = read_image(tmp_path / f'final_results/{name}.png').pixels
        assert degraded.shape == restored.shape == original.shape
        x0, y0, x1, y1 = (round(value) for value in line['faces'][0]['box'])
        sharpness = [
            cv2.Laplacian(cv2.cvtColor(photo[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY), cv2.CV_64F).std()
            for photo in (degraded, restored, original)
        ]
        assert sharpness[0] < 0.6 * sharpness[2]
        assert sharpness[1] > 1.4 * sharpness[0]
    sheet = read_image(tmp_path / 'before_after.png').pixels
    assert sheet.shape == contact_sheet([[original] * 3 for original in originals.values()], COLUMNS, tile=TILE).shape
