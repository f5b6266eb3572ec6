"""The folder pipeline around a restorer that needs no network: it finds a face where the photo is not black."""

import errno
import json
import os
import re
import resource
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from skimage.data import astronaut

from daefr_arch.errors import OutputError, StorageError, UsageError
from daefr_arch.io.atomic_file import atomic_path
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.progress import ProgressBar
from daefr_arch.restoration.earlier_runs import read_report
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.output_plan import plan_outputs
from daefr_arch.restoration.photo_folder import PHOTOS_A_GROUP, restore_photos
from daefr_arch.restoration.photo_source import photo_sources
from tests.restoration.fake_restorer import FACE, FakeRestorer


@pytest.fixture(scope='module')
def face():
    return np.ascontiguousarray(astronaut()[40:200, 160:280, ::-1])


def with_corner(pixels, corner):
    pixels = pixels.copy()
    pixels[0, 0] = corner
    return pixels


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob('*') if path.is_file())


def lines(root):
    return [json.loads(line) for line in (root / 'report.jsonl').read_text().splitlines()]


def plan(sources, layout, **options):
    return plan_outputs(sources, layout, report=layout.root / 'report.jsonl', **options)


def run(sources, layout, *, restorer=None, **options):
    restorer = restorer or FakeRestorer()
    return restore_photos(restorer, sources, layout, report=layout.root / 'report.jsonl', **options).counts


def test_codeformer_layout(tmp_path, face):
    write_image(tmp_path / 'my photo.jpg', face)
    layout = OutputLayout(tmp_path / 'out')
    assert run([tmp_path / 'my photo.jpg'], layout) == Counter(ok=1)
    assert files(layout.root) == [
        'cropped_faces/my photo_00.png',
        'cropped_faces/my photo_01.png',
        'final_results/my photo.jpg',
        'report.jsonl',
        'restored_faces/my photo_00.png',
        'restored_faces/my photo_01.png',
    ]
    assert read_image(layout.root / 'final_results/my photo.jpg').pixels.shape == (320, 240, 3)
    assert (read_image(layout.root / 'restored_faces/my photo_01.png').pixels == 100).all()
    (line,) = lines(layout.root)
    assert (line['status'], line['error'], len(line['faces'])) == ('ok', None, 2)
    assert line['faces'][0]['box'] == [1.0, 2.0, 9.0, 12.0]
    assert set(line['seconds']) == {'read', 'detect', 'write'}
    written = [path for paths in line['outputs'].values() for path in paths]
    assert sorted(os.path.relpath(path, layout.root) for path in written) == [
        name for name in files(layout.root) if name != 'report.jsonl'
    ]


def test_gfpgan_layout_with_suffix_and_extension(tmp_path, face):
    write_image(tmp_path / 'a.jpg', face)
    layout = OutputLayout(tmp_path / 'out', style='gfpgan', suffix='x', extension='webp')
    run([tmp_path / 'a.jpg'], layout)
    assert files(layout.root) == [
        'cmp/a_00.png',
        'cmp/a_01.png',
        'cropped_faces/a_00.png',
        'cropped_faces/a_01.png',
        'report.jsonl',
        'restored_faces/a_00_x.png',
        'restored_faces/a_01_x.png',
        'restored_imgs/a_x.webp',
    ]
    side_by_side = read_image(layout.root / 'cmp/a_00.png').pixels
    assert (side_by_side[:, :FACE] == 10).all()
    assert (side_by_side[:, FACE:] == 100).all()


@pytest.mark.parametrize(
    ('style', 'expected'),
    [
        ('codeformer', ['report.jsonl', 'restored_faces/a.png']),
        ('gfpgan', ['cmp/a_00.png', 'cropped_faces/a_00.png', 'report.jsonl', 'restored_faces/a_00.png']),
    ],
)
def test_aligned_faces(tmp_path, face, style, expected):
    write_image(tmp_path / 'a.jpg', face)
    layout = OutputLayout(tmp_path / 'out', style=style, has_aligned=True)
    restorer = FakeRestorer(faces=1)
    restore_photos(restorer, [tmp_path / 'a.jpg'], layout, report=layout.root / 'report.jsonl')
    assert files(layout.root) == expected
    assert layout.result(tmp_path / 'a.jpg').exists()


def test_extension_of_the_whole_photo(tmp_path):
    auto = OutputLayout(tmp_path)
    for name, expected in {
        'a.JPG': 'a.JPG',
        'a.jpeg': 'a.jpeg',
        'a.webp': 'a.webp',
        'a.tif': 'a.png',
        'a': 'a.png',
    }.items():
        assert auto.photo(Path(name)).name == expected
    assert OutputLayout(tmp_path, extension='jpg').photo(Path('a.tar.png')).name == 'a.tar.jpg'


def test_one_bad_photo_never_stops_the_others(tmp_path, face):
    write_image(tmp_path / '0.png', face)
    (tmp_path / '1.jpg').write_text('no image')
    write_image(tmp_path / '2.png', np.zeros_like(face))
    write_image(tmp_path / '3.png', with_corner(face, FakeRestorer.OUT_OF_MEMORY))
    write_image(tmp_path / '4.png', with_corner(face, FakeRestorer.NOT_FINITE))
    write_image(tmp_path / '5.png', with_corner(face, FakeRestorer.ONE_NOT_FINITE))
    write_image(tmp_path / '6.png', face)
    layout = OutputLayout(tmp_path / 'out')
    assert run(sorted(tmp_path.glob('*.*')), layout) == Counter(ok=2, no_face=1, partial=1, error=3)
    report = lines(layout.root)
    assert [Path(line['input']).name[0] for line in report] == list('0123456')
    assert [line['status'] for line in report] == ['ok', 'error', 'no_face', 'error', 'error', 'partial', 'ok']
    for index, message in {1: 'not an image', 3: 'CUDA out of memory', 4: 'not finite'}.items():
        assert message in report[index]['error']
        assert report[index]['outputs'] == {}
    # never the input as the result: nothing at all of a photo that failed, the photo without a face upscaled
    assert sorted(path.name for path in (layout.root / 'final_results').iterdir()) == [
        '0.png',
        '2.png',
        '5.png',
        '6.png',
    ]
    assert read_image(layout.root / 'final_results/2.png').pixels.shape == (320, 240, 3)
    assert [path.name for path in (layout.root / 'restored_faces').glob('5*')] == ['5_01.png']  # number of the face


def test_photos_share_batches_within_bounded_memory(tmp_path, face, monkeypatch):
    sources = []
    for index in range(10):
        sources.append(tmp_path / f'{index}.png')
        write_image(sources[-1], face)
    layout = OutputLayout(tmp_path / 'out')
    for pixels, batches in ((10**9, [8, 2]), (3 * face[..., 0].size * 4, [3, 3, 3, 1]), (1, [1] * 10)):
        monkeypatch.setattr('daefr_arch.restoration.photo_folder.RESULT_PIXELS_A_GROUP', pixels)
        restorer = FakeRestorer()
        result = restore_photos(restorer, sources, layout, report=layout.root / 'report.jsonl')
        assert (restorer.batches, result.counts) == (batches, Counter(ok=10))


def test_steps_overlap_and_their_shares_are_reported(tmp_path, face, monkeypatch):
    """Each event is set by another thread while the network step of one group waits for it."""
    sources = [tmp_path / f'{index}.png' for index in range(4)]
    for source in sources:
        write_image(source, face)
    monkeypatch.setattr('daefr_arch.restoration.photo_folder.PHOTOS_A_GROUP', 2)
    next_found, last_finished = threading.Event(), threading.Event()

    class Watched(FakeRestorer):
        found = 0

        def find_faces(self, img, **options):
            self.found += 1
            if self.found > 2:
                next_found.set()
            return super().find_faces(img, **options)

        def restore_faces(self, works, **options):
            assert (last_finished if self.batches else next_found).wait(30)
            super().restore_faces(works, **options)

        def finish(self, work):
            last_finished.set()
            return super().finish(work)

    layout = OutputLayout(tmp_path / 'out')
    result = restore_photos(Watched(), sources, layout, report=layout.root / 'report.jsonl')
    assert result.counts == Counter(ok=4)
    assert result.seconds['detect'] == 2
    assert 0 < result.elapsed < 60
    shares = re.fullmatch(r'\d+\.\d\d photos/s; work of the steps: (.+)', result.throughput())[1]
    assert {share.split()[0] for share in shares.split(', ')} == {'read', 'detect', 'write'}
    assert shares.startswith('detect 9')


def test_alpha_depth_grey_and_boxes_reach_the_whole_photo(tmp_path, face):
    deep = np.dstack((face, np.full(face.shape[:2], 200, np.uint8))).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / 'deep.png'), deep)
    cv2.imwrite(str(tmp_path / 'grey.png'), face[..., 1])
    sources = [tmp_path / 'deep.png', tmp_path / 'grey.png']
    layout = OutputLayout(tmp_path / 'out')
    run(sources, layout)
    written = cv2.imread(str(layout.photo(sources[0])), cv2.IMREAD_UNCHANGED)
    assert (written.shape, written.dtype) == ((320, 240, 4), np.uint16)
    assert np.array_equal(written[::2, ::2], deep)
    assert cv2.imread(str(layout.photo(sources[1])), cv2.IMREAD_UNCHANGED).shape == (320, 240)
    run(sources, layout, draw_box=True)
    for source in sources:
        photo = read_image(layout.photo(source)).pixels
        green = (0, np.iinfo(photo.dtype).max, 0)
        assert (photo[4, 2:19] == green).all()  # the top edge of the box, twice its size
        assert (photo[10, 10] != green).any()


def test_two_inputs_of_one_name_are_refused_before_work(tmp_path):
    layout = OutputLayout(tmp_path / 'out')
    with pytest.raises(UsageError, match=r'a\.jpg and .*a\.png would write the same names'):
        plan([tmp_path / 'a.jpg', tmp_path / 'a.png'], layout)
    with pytest.raises(UsageError, match=r'would replace an input'):
        plan([tmp_path / 'out/final_results/a.png'], layout, existing='overwrite')
    faces = [tmp_path / 'out/restored_faces/a.png', tmp_path / 'out/restored_faces/a_00.png']
    with pytest.raises(UsageError, match=r'restored_faces/a_00\.png would replace an input'):  # by the face of a.png
        plan(faces, layout, existing='overwrite')
    for wrong in ({'suffix': 'a/b'}, {'style': 'dfdnet'}):
        with pytest.raises(UsageError, match='expected'):
            OutputLayout(tmp_path, **wrong)
    assert not layout.root.exists()


def test_existing_results(tmp_path, face):
    sources = [tmp_path / 'a.png', tmp_path / 'b.png']
    for source in sources:
        write_image(source, face)
    layout = OutputLayout(tmp_path / 'out')
    run(sources[:1], layout)
    with pytest.raises(UsageError, match=r'1 results exist, such as .*a\.png: use --overwrite'):
        plan(sources, layout)
    assert plan(sources, layout, existing='overwrite') == photo_sources(sources)
    left = plan(sources, layout, existing='skip')
    assert left == photo_sources(sources[1:])
    run(left, layout)
    assert [Path(line['input']).name for line in lines(layout.root)] == ['a.png', 'b.png']


def test_a_photo_that_fails_is_named_once(tmp_path, face, caplog):
    (tmp_path / 'broken.png').write_bytes(b'no image')
    run([tmp_path / 'broken.png'], OutputLayout(tmp_path / 'out'))
    (message,) = (record.getMessage() for record in caplog.records if record.levelname == 'ERROR')
    assert message.count('broken.png') == 1


def test_disk_full_leaves_nothing_half_written(tmp_path, face):
    """A real failing write, as any user: the process may write no file above 40 kB, as small PNGs are."""
    noise = np.random.default_rng(0).integers(1, 256, (200, 200, 3), np.uint8)
    write_image(tmp_path / 'a.png', noise)
    write_image(tmp_path / 'b.png', face[:40, :40])
    layout = OutputLayout(tmp_path / 'out')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        counts = run([tmp_path / 'a.png', tmp_path / 'b.png'], layout)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert counts == Counter(ok=1, error=1)
    failed, done = lines(layout.root)
    assert 'a.png: cannot be written: File too large' in failed['error']
    assert done['status'] == 'ok'
    assert not [name for name in files(layout.root) if 'b' not in Path(name).name[:1] and name != 'report.jsonl']


def test_full_disk_stops_at_the_report_with_whole_lines(tmp_path, face):
    """/dev/full takes no byte: ENOSPC from the kernel."""
    write_image(tmp_path / 'a.png', face)
    with pytest.raises(OutputError, match='report cannot be written: No space left on device'):
        restore_photos(FakeRestorer(), [tmp_path / 'a.png'], OutputLayout(tmp_path / 'out'), report=Path('/dev/full'))


@pytest.fixture
def read_only_folder():
    """A folder that this process may not write to, root or not."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which nobody else may enter
        os.chmod(folder, 0o555)
        if user == 0:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


def test_read_only_output(read_only_folder, face):
    with pytest.raises(OutputError, match='restored_faces: the folder cannot be made: Permission denied'):
        run([], OutputLayout(read_only_folder / 'out'))
    with pytest.raises(OutputError, match=r'a\.png: cannot be written: Permission denied'):
        write_image(read_only_folder / 'a.png', face)
    assert list(read_only_folder.iterdir()) == []


def test_output_below_a_file(tmp_path, face):
    (tmp_path / 'out').touch()
    with pytest.raises(OutputError, match='the folder cannot be made: Not a directory'):
        run([], OutputLayout(tmp_path / 'out'))


def test_the_bar_moves_with_each_photo_not_with_each_group(tmp_path, face):
    for index in range(PHOTOS_A_GROUP + 2):
        write_image(tmp_path / f'{index:02d}.png', face)
    seen = []

    class Watcher(FakeRestorer):
        """When the second group is at the network, waits for the bar to count the first, which is being written."""

        def restore_faces(self, works, *, weight=None):
            super().restore_faces(works, weight=weight)
            deadline = time.monotonic() + 60
            while len(self.batches) > 1 and ProgressBar.last.n < PHOTOS_A_GROUP and time.monotonic() < deadline:
                time.sleep(0.01)
            seen.append(ProgressBar.last.n)

    layout = OutputLayout(tmp_path / 'out')
    sources = sorted(tmp_path.glob('*.png'))
    restore_photos(Watcher(), sources, layout, report=layout.root / 'report.jsonl', progress=True)
    assert seen[:2] == [0, PHOTOS_A_GROUP]
    assert ProgressBar.last.count() == f'{PHOTOS_A_GROUP + 2} of {PHOTOS_A_GROUP + 2} photos'


class Raising(FakeRestorer):
    """Raises the error for photos whose corner is red 9, in one of its steps."""

    def __init__(self, error, step):
        super().__init__()
        self._error, self._step = error, step

    def _check(self, step, img):
        if step == self._step and img[0, 0].tolist() == [0, 0, 9]:
            raise self._error

    def find_faces(self, img, **options):
        self._check('find', img)
        return super().find_faces(img, **options)

    def restore_faces(self, works, **options):
        for work in works:
            self._check('restore', work.img)
        super().restore_faces(works, **options)

    def finish(self, work):
        self._check('finish', work.img)
        return super().finish(work)


@pytest.mark.parametrize('step', ['find', 'restore', 'finish'])
@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (MemoryError(), 'MemoryError'),
        (ZeroDivisionError('division by zero'), 'ZeroDivisionError: division by zero'),
        (AttributeError("'int' object has no attribute 'strip'"), 'AttributeError: .int. object has no attribute'),
        (AssertionError(), 'AssertionError'),
    ],
)
def test_whatever_a_photo_raises_is_its_own(tmp_path, face, step, error, message):
    for index, corner in enumerate(((1, 1, 1), (0, 0, 9), (1, 1, 1))):
        write_image(tmp_path / f'{index}.png', with_corner(face, corner))
    layout = OutputLayout(tmp_path / 'out')
    sources = sorted(tmp_path.glob('*.png'))
    assert run(sources, layout, restorer=Raising(error, step)) == Counter(ok=2, error=1)
    failed = lines(layout.root)[1]
    assert (failed['status'], failed['error_class'], failed['outputs']) == ('error', type(error).__name__, {})
    assert re.match(message, failed['error'])
    assert not list(layout.root.rglob('1*'))


def test_a_programs_end_is_no_photos_error(tmp_path, face):
    write_image(tmp_path / 'a.png', with_corner(face, (0, 0, 9)))
    layout = OutputLayout(tmp_path / 'out')
    with pytest.raises(SystemExit):
        run([tmp_path / 'a.png'], layout, restorer=Raising(SystemExit(5), 'find'))
    assert files(layout.root) == ['report.jsonl']


def test_a_full_disk_stops_the_run_at_the_first_failure(tmp_path, face, monkeypatch):
    """Ten photos; the disk is full at the fourth, and nothing is tried for those behind it."""
    sources = [tmp_path / f'{index}.png' for index in range(10)]
    for source in sources:
        write_image(source, face)
    layout = OutputLayout(tmp_path / 'out')
    tried = []

    def write(path, image):
        if path.parent.name == 'final_results':
            tried.append(path.name)
        if path.name.startswith('3'):
            raise StorageError(f'{path}: cannot be written: {os.strerror(errno.ENOSPC)}')
        return write_image(path, image)

    monkeypatch.setattr('daefr_arch.restoration.photo_files.write_image', write)
    message = (
        r'out/cropped_faces/3_00\.png: cannot be written: No space left on device; stopped after (\d) of 10 photos'
    )
    with pytest.raises(StorageError, match=message) as stopped:
        run(sources, layout)
    done = int(re.search(message, str(stopped.value))[1])
    assert 3 <= done <= 4  # the writer beside may have been at the next one
    assert len(lines(layout.root)) == len(list((layout.root / 'final_results').iterdir())) == done == len(tried)
    assert not list(layout.root.glob('.*'))


@pytest.mark.parametrize(
    ('number', 'kind'),
    [('ENOSPC', StorageError), ('EDQUOT', StorageError), ('EROFS', StorageError), ('EACCES', OutputError)],
)
def test_what_stops_all_writing_is_told_apart(tmp_path, number, kind):
    code = getattr(errno, number)
    with pytest.raises(OutputError, match=re.escape(os.strerror(code))) as error, atomic_path(tmp_path / 'a'):
        raise OSError(code, os.strerror(code))
    assert type(error.value) is kind


def test_lines_are_kept_and_the_newest_counts(tmp_path, face):
    sources = [tmp_path / 'a.png', tmp_path / 'b.png']
    for source in sources:
        write_image(source, face)
    layout = OutputLayout(tmp_path / 'out')
    run(sources, layout)
    run(sources[:1], layout, restorer=FakeRestorer(faces=1))
    assert [Path(line['input']).name for line in lines(layout.root)] == ['a.png', 'b.png', 'a.png']
    newest = read_report(layout.root / 'report.jsonl')
    assert [(Path(line['input']).name, len(line['faces'])) for line in newest] == [('a.png', 1), ('b.png', 2)]


def test_photos_without_a_line_or_a_file_are_done_again(tmp_path, face):
    sources = [tmp_path / f'{name}.png' for name in 'abcd']
    for source in sources:
        write_image(source, face)
    layout = OutputLayout(tmp_path / 'out')
    run(sources, layout)
    report = layout.root / 'report.jsonl'
    whole = report.read_bytes().splitlines(keepends=True)
    report.write_bytes(b''.join((whole[0], whole[2], whole[3][:-20])))  # b was lost, d is a part
    (layout.root / 'restored_faces/c_01.png').unlink()
    left = plan(sources, layout, existing='skip')
    assert [photo.path.name for photo in left] == ['b.png', 'c.png', 'd.png']
    run(left, layout)
    assert [Path(line['input']).name for line in lines(layout.root)] == ['a.png', 'c.png', 'b.png', 'c.png', 'd.png']
    assert plan(sources, layout, existing='skip') == []
    run(sources[:1], layout, restorer=Raising(ValueError('x'), 'none'), max_pixels=1)  # fails, its old files stay
    assert [photo.path.name for photo in plan(sources, layout, existing='skip')] == ['a.png']
    assert layout.photo(sources[0]).exists()


def test_results_may_move_and_are_not_taken_for_anothers(tmp_path, face, monkeypatch):
    for folder in ('one', 'two'):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / 'a.png', face)
    monkeypatch.chdir(tmp_path)
    run([Path('one/a.png')], OutputLayout(Path('out')))
    (tmp_path / 'out').rename(tmp_path / 'moved')
    monkeypatch.chdir(tmp_path / 'one')
    assert plan([Path('a.png')], OutputLayout(Path('../moved')), existing='skip') == []
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r'a\.png is the result of one/a\.png, not of two/a\.png: use --output'):
        plan([Path('two/a.png')], OutputLayout(Path('moved')), existing='skip')


@pytest.mark.parametrize('style', ['codeformer', 'gfpgan'])
def test_surplus_faces_of_an_earlier_run_go(tmp_path, face, style):
    """And only they: not the faces of a photo whose name begins alike, nor files that no line names."""
    sources = [tmp_path / 'a.png', tmp_path / 'a_03.png']
    for source in sources:
        write_image(source, face)
    layout = OutputLayout(tmp_path / 'out', style=style, evidence_maps=False)
    run(sources, layout, restorer=FakeRestorer(faces=5))
    (layout.root / 'restored_faces/a_07.png').write_bytes(b'my own')
    before = set(files(layout.root))
    run(sources[:1], layout, restorer=FakeRestorer(faces=3))
    gone = before - set(files(layout.root))
    folders = ('cropped_faces', 'restored_faces', *(['cmp'] if style == 'gfpgan' else []))
    assert gone == {f'{folder}/a_{index:02d}.png' for folder in folders for index in (3, 4)}


def test_every_page_of_a_tiff_is_a_photo(tmp_path, face):
    pages = [Image.fromarray(np.ascontiguousarray(page[..., ::-1])) for page in (face, face[:80], face[:, ::-1])]
    pages[0].save(tmp_path / 'scan.tif', save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / 'single.tif')
    sources = [tmp_path / 'scan.tif', tmp_path / 'single.tif']
    layout = OutputLayout(tmp_path / 'out')
    photos = plan(sources, layout)
    assert [str(photo) for photo in photos[1:]] == [f'{sources[0]}, page 2', f'{sources[0]}, page 3', str(sources[1])]
    assert run(photos, layout) == Counter(ok=4)
    names = ['scan_p001.png', 'scan_p002.png', 'scan_p003.png', 'single.png']
    assert sorted(path.name for path in (layout.root / 'final_results').iterdir()) == names
    assert read_image(layout.root / 'final_results/scan_p002.png').pixels.shape == (160, 240, 3)
    assert (layout.root / 'restored_faces/scan_p003_01.png').exists()
    assert [(line['input'], line['page']) for line in lines(layout.root)] == [
        *((str(sources[0]), page) for page in (1, 2, 3)),
        (str(sources[1]), None),
    ]
    (layout.root / 'final_results/scan_p002.png').unlink()
    assert [photo.page for photo in plan(sources, layout, existing='skip')] == [2]
    write_image(tmp_path / 'scan_p001.png', face)
    with pytest.raises(UsageError, match=r'scan\.tif, page 1 and .*scan_p001\.png would write the same names'):
        plan([*sources, tmp_path / 'scan_p001.png'], layout, existing='overwrite')


def test_two_runs_in_one_folder(tmp_path, face):
    """At once, each with photos of its own and some that both have: no line is lost, and each is whole."""
    sources = [tmp_path / f'{index:02d}.png' for index in range(30)]
    for source in sources:
        write_image(source, face[:40, :40])
    layout = OutputLayout(tmp_path / 'out')
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda part: run(part, layout), (sources[:20], sources[10:])))
    assert results == [Counter(ok=20)] * 2
    names = Counter(Path(line['input']).name for line in lines(layout.root))
    assert names == Counter([*(source.name for source in sources[:20]), *(source.name for source in sources[10:])])
    assert plan(sources, layout, existing='skip') == []
    assert not list(layout.root.glob('.*'))


def test_a_line_that_cannot_be_written_leaves_the_results_of_the_run_before(tmp_path, face, monkeypatch):
    write_image(tmp_path / 'a.png', face)
    layout = OutputLayout(tmp_path / 'out')
    run([tmp_path / 'a.png'], layout, restorer=FakeRestorer(faces=3))
    before = {name: (layout.root / name).read_bytes() for name in files(layout.root)}

    def write(self, line):
        assert not layout.photo(tmp_path / 'a.png').exists()  # else a kill right after the line would pass it off
        raise StorageError('report.jsonl: No space left on device')

    monkeypatch.setattr('daefr_arch.io.json_lines.JsonLinesWriter.write', write)
    with pytest.raises(StorageError, match='stopped after 0 of 1 photos'):
        run([tmp_path / 'a.png'], layout, restorer=FakeRestorer(faces=1, upscale=1))
    assert {name: (layout.root / name).read_bytes() for name in files(layout.root)} == before


def test_results_behind_a_link_to_another_file_system(tmp_path, face, monkeypatch):
    """As if the folder were on another disk: renaming across is refused by the system."""
    write_image(tmp_path / 'a.png', face)
    layout = OutputLayout(tmp_path / 'out')
    replace = os.replace

    def refusing(source, target):
        if '.daefr-run-' in str(source) and '.daefr-run-' not in str(target):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(source, target)

    monkeypatch.setattr('os.replace', refusing)
    for _ in range(2):
        assert run([tmp_path / 'a.png'], layout) == Counter(ok=1)
    assert len(files(layout.root)) == 6
    assert read_image(layout.photo(tmp_path / 'a.png')).pixels.shape == (320, 240, 3)


@pytest.mark.parametrize(
    ('extension', 'lost'),
    [
        ('png', []),
        ('jpg', ['JPEG cannot hold transparency', 'JPEG cannot hold the PNG text "parameters"']),
        ('webp', ['WEBP cannot hold the PNG text "parameters"']),
    ],
)
def test_the_report_names_what_the_result_s_format_cannot_hold(tmp_path, face, extension, lost):
    text = PngImagePlugin.PngInfo()
    text.add_text('parameters', 'seed 1')
    Image.fromarray(np.dstack((face, face[..., 0]))).save(tmp_path / 'a.png', pnginfo=text)
    layout = OutputLayout(tmp_path / 'out', extension=extension)
    run([tmp_path / 'a.png'], layout)
    (line,) = lines(layout.root)
    assert line['warnings'] == [f'{words}: it is lost' for words in lost]
