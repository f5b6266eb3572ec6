import cv2
import numpy as np
import pytest
import torch
from basicsr.data import build_dataset
from basicsr.utils import get_root_logger
from torch.utils.data import DataLoader

from daefr_arch.data import degradation_dataset
from daefr_arch.data.degradation import DegradationRanges, degrade, draw_params
from daefr_arch.data.degradation_dataset import DAEFRDegradationDataset
from daefr_arch.data.draw_sampler import Draw, DrawSampler
from daefr_arch.errors import InputError
from tests.data.faces import face

NAMES = ('one.png', 'nested/zwei ß.png', 'nested/deep/3.3.png', 'four.png')


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(NAMES):
        path = tmp_path / 'faces' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode('.png', np.rot90(face(64), i))[1].tobytes())
    return tmp_path / 'faces'


def build(folder, **options):
    opt = {'name': 'faces', 'type': 'DAEFRDegradationDataset', 'dataroot_gt': str(folder), 'gt_size': 64, **options}
    return build_dataset(opt)


def batches(dataset, *, workers, epochs, persistent=False):
    sampler = DrawSampler(dataset, 1, 0, ratio=2)
    loader = DataLoader(
        dataset, batch_size=3, sampler=sampler, num_workers=workers, drop_last=True, persistent_workers=persistent
    )
    for epoch in epochs:
        sampler.set_epoch(epoch)
        yield from loader


def test_sample_holds_gt_lq_and_paths(folder):
    dataset = build(folder)
    assert isinstance(dataset, DAEFRDegradationDataset)
    assert len(dataset) == 4
    paths = {dataset[i]['gt_path'] for i in range(4)}
    assert paths == {str(folder / name) for name in NAMES}
    sample = dataset[0]
    assert sample['lq_path'] == sample['gt_path']
    for key in ('gt', 'lq'):
        assert sample[key].shape == (3, 64, 64)
        assert sample[key].dtype == torch.float32
        assert -1 <= sample[key].min() < -0.3
        assert 0.3 < sample[key].max() <= 1


def test_gt_is_rgb_of_the_file_and_lq_its_degradation_in_8_bits(folder):
    dataset = build(folder, seed=11)
    sample = dataset[2]
    image = cv2.imdecode(np.fromfile(sample['gt_path'], np.uint8), cv2.IMREAD_COLOR)
    rgb = (sample['gt'].permute(1, 2, 0).numpy() + 1) * 127.5
    np.testing.assert_allclose(rgb[..., ::-1], image, atol=1e-3)
    params = draw_params(DegradationRanges(), np.random.default_rng([11, 2]))
    expected = np.rint(degrade(image.astype(np.float32) / 255, params) * 255)
    rgb = (sample['lq'].permute(1, 2, 0).numpy() + 1) * 127.5
    np.testing.assert_allclose(rgb[..., ::-1], expected, atol=1e-3)


@pytest.mark.parametrize('workers', [1, 2])
def test_samples_do_not_depend_on_the_workers(folder, workers):
    dataset = build(folder, use_hflip=True)
    alone = list(batches(dataset, workers=0, epochs=(0, 1)))
    shared = list(batches(dataset, workers=workers, epochs=(0, 1), persistent=True))
    assert len(alone) == len(shared) == 4
    for a, b in zip(alone, shared, strict=True):
        assert a['gt_path'] == b['gt_path']
        assert torch.equal(a['gt'], b['gt'])
        assert torch.equal(a['lq'], b['lq'])


def test_each_draw_of_an_image_is_another_one_and_the_seed_matters(folder):
    dataset = build(folder)
    first = dataset[Draw(1, epoch=0, position=6)]['lq']
    assert torch.equal(first, dataset[Draw(1, epoch=0, position=6)]['lq'])
    for other in (Draw(1, epoch=1, position=6), Draw(1, epoch=0, position=7)):
        assert not torch.equal(first, dataset[other]['lq'])
    assert not torch.equal(first, build(folder, seed=1)[Draw(1, epoch=0, position=6)]['lq'])


def test_hflip_mirrors_both_images_of_about_half_the_samples(folder):
    mild = {'blur_sigma': (0.1, 0.1), 'downsample_range': (1, 1), 'noise_range': (0, 0), 'jpeg_range': (100, 100)}
    plain, flipping = build(folder, **mild), build(folder, use_hflip=True, **mild)
    flipped = 0
    for position in range(60):
        sample = flipping[Draw(0, epoch=0, position=position)]
        mirrored = torch.equal(sample['gt'], plain[0]['gt'].flip(-1))
        assert mirrored or torch.equal(sample['gt'], plain[0]['gt'])
        assert (sample['lq'] - sample['gt']).abs().mean() < 0.06
        flipped += mirrored
    assert 18 <= flipped <= 42


def test_lq_as_target(folder):
    sample = build(folder, target='lq')[0]
    assert torch.equal(sample['gt'], sample['lq'])
    assert torch.equal(sample['lq'], build(folder)[0]['lq'])


def test_mean_and_std_are_options(folder):
    sample = build(folder, mean=[0, 0, 0], std=[1, 1, 1])[0]
    torch.testing.assert_close(sample['gt'] * 2 - 1, build(folder)[0]['gt'])


def test_other_sizes_are_resized(folder):
    assert build(folder, gt_size=48)[0]['lq'].shape == (3, 48, 48)


@pytest.fixture
def log(caplog, monkeypatch):
    """What BasicSR's logger says; the first use of it in a process ends its propagation."""
    get_root_logger()
    monkeypatch.setattr(degradation_dataset._logger, 'propagate', True)
    return caplog


@pytest.mark.parametrize('damage', [b'', b'no image', 'truncated', 'rectangle'])
def test_corrupt_image_is_an_error_or_skipped_and_counted(folder, damage, log):
    path = folder / 'four.png'
    if damage == 'truncated':
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == 'rectangle':
        path.write_bytes(cv2.imencode('.png', face(64)[:50])[1].tobytes())
    else:
        path.write_bytes(damage)
    index = 0
    with pytest.raises(InputError, match=r'four\.png'):
        build(folder)[index]
    dataset = build(folder, on_corrupt='skip')
    seen = [path for batch in batches(dataset, workers=2, epochs=(0, 1)) for path in batch['gt_path']]
    assert str(path) not in seen
    assert len(seen) == 12
    assert dataset.corrupt_count == 1
    dataset[index]
    build(folder, on_corrupt='skip')[index]
    assert len(records(log, 'four.png')) == 1


def test_nothing_readable_is_an_error(folder):
    for path in folder.rglob('*.png'):
        path.write_bytes(b'no image')
    with pytest.raises(InputError, match='none of its 4 images'):
        build(folder, on_corrupt='skip')[2]


def records(log, text):
    """What was logged, once each: pytest also listens to loggers that did not propagate when the test began."""
    return {record for record in log.records if text in record.message}


def test_training_without_the_sampler_is_warned_about_once(folder, log):
    dataset = build(folder, phase='train')
    dataset[Draw(0)]
    assert 'no DrawSampler' not in log.text
    dataset[0], dataset[1]
    assert len(records(log, 'no DrawSampler')) == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'blur_sigm': (1, 2)}, "did you mean 'blur_sigma'"),
        ({'target': 'hq'}, 'target: expected gt or lq'),
        ({'on_corrupt': 'ignore'}, 'on_corrupt: expected error or skip'),
        ({'jpeg_range': (100, 30)}, 'jpeg_range'),
        ({'io_backend': {'type': 'memcached'}}, 'expected disk or lmdb'),
        ({'io_backend': {'type': 'disk', 'path': 'x'}}, "unknown option 'path'"),
        ({'dataroot_gt': '/nowhere'}, 'no image file, folder or pattern'),
        ({'dataroot_gt': '/nowhere.lmdb', 'io_backend': {'type': 'lmdb'}}, 'make-lmdb'),
    ],
)
def test_wrong_options_are_errors(folder, options, message):
    with pytest.raises(InputError, match=message):
        build(folder, **options)


def test_a_list_names_a_part_of_the_folder(folder, tmp_path):
    (tmp_path / 'list.txt').write_text(f'{NAMES[1]} (64,64,3) 1\n{NAMES[0]}\n')
    dataset = build(folder, meta_info_file=str(tmp_path / 'list.txt'))
    assert dataset.source.names == [str(folder / NAMES[1]), str(folder / NAMES[0])]
    assert dataset[0]['gt_path'] == str(folder / NAMES[1])
    with pytest.raises(InputError, match='cannot be read'):
        build(folder, meta_info_file='missing.txt')
    with pytest.raises(InputError, match='an LMDB has its own list'):
        build(folder, meta_info_file='list.txt', io_backend={'type': 'lmdb'})


def test_missing_folder_option_is_an_error():
    with pytest.raises(InputError, match='dataroot_gt is missing'):
        build_dataset({'name': 'faces', 'type': 'DAEFRDegradationDataset'})
