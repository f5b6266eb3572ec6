"""A job in one process: every photo has a row and a file of its own, whatever its name and whatever is wrong in it."""

import json
import os
import shutil
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image

from daefr_arch.cluster import local_store
from daefr_arch.cluster.attempts import DEATHS
from daefr_arch.cluster.job import prepare_job, read_job
from daefr_arch.cluster.output_name import output_name
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import StorageError, UsageError
from tests.cluster.photos import CLEAN, NOT_UTF8, is_clean, make_tree, rows_of, tiny_restorer, write_photo


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp('tree'), 40)


def restore(output, *, options=None, build=tiny_restorer, **arguments):
    worker = ShardWorker(str(output), options or PhotoOptions(), build)
    return run_job(str(output), partial(map, worker.restore), check=worker.start, **arguments)


def prepared(tree, output, shard_size=10):
    prepare_job(str(tree), str(output), shard_size=shard_size)
    return output


@pytest.fixture(scope='module')
def done(tree, tmp_path_factory):
    output = prepared(tree, tmp_path_factory.mktemp('job'))
    return output, restore(output)


def test_every_photo_has_a_row_and_every_row_its_file(tree, done):
    output, result = done
    rows = rows_of(output)
    photos = {str(path.relative_to(tree)) for path in tree.rglob('*') if path.is_file()}
    assert {row.path for row in rows} == photos
    assert len(rows) == len(photos) == 40
    assert result.statuses == {'no_face': 38, 'ok': 1, 'error': 1}
    assert is_clean(output) == CLEAN
    for row in rows:
        if row.status != 'error':
            assert (output / row.output).stat().st_size == row.size


def test_a_bad_photo_is_a_row(done):
    [row] = [row for row in rows_of(done[0]) if row.status == 'error']
    assert row.path == 'names/broken.png'
    assert 'broken.png' in row.error
    assert (row.error_class, row.output, row.size) == ('InputError', None, None)


def test_a_face_is_told(done):
    [row] = [row for row in rows_of(done[0]) if row.status == 'ok']
    assert row.path == 'names/face.png'
    assert [face['status'] for face in row.faces] == ['guessed']


def test_results_are_those_of_the_restorer(tree, done):
    photo = cv2.imread(str(tree / 'names/face.png'))
    whole = tiny_restorer().enhance(photo)[2]
    assert (whole != photo).any()
    np.testing.assert_array_equal(cv2.imread(str(done[0] / 'final_results/names/face.png')), whole)


def test_names_that_are_not_utf8_are_kept(done):
    names = {row.path: row.output for row in rows_of(done[0]) if '\udce9' in row.path}
    assert names == {
        f'names/{NOT_UTF8}.png': f'final_results/names/{NOT_UTF8}.png',
        f'names/{NOT_UTF8}/{NOT_UTF8}.jpg': f'final_results/names/{NOT_UTF8}/{NOT_UTF8}.jpg',
    }


def test_no_two_photos_share_a_name():
    bases = ['a', 'a.jpg', 'a.tif', 'a.tif.p002', 'a.jpg.png', 'a.png', 'b']
    photos = [f'{base}{ending}' for base in bases for ending in ('.jpg', '.png', '.tif', '.PNG', '.jpeg', '.heic')]
    assert len(set(photos)) == len(photos)
    for extension in ('auto', 'png', 'jpg', 'webp'):
        names = [output_name(photo, extension=extension) for photo in photos]
        names += [output_name(photo, page=page, extension=extension) for photo in photos for page in (1, 2)]
        assert len(set(names)) == len(names)
    assert output_name('x/a.jpg') == 'x/a.jpg'
    assert output_name('x/a.jpg', extension='png') == 'x/a.jpg.png'
    assert output_name('x/a.tif', page=2) == 'x/a.tif.p002.png'
    assert output_name(f'{NOT_UTF8}%.png', escaped=True) == 'caf%E9%25.png'


def test_pages_are_rows(tmp_path):
    pages = [Image.new('RGB', (8, 8), colour) for colour in ('red', 'blue')]
    (tmp_path / 'tree').mkdir()
    pages[0].save(tmp_path / 'tree/scan.tif', save_all=True, append_images=pages[1:])
    output = prepared(tmp_path / 'tree', tmp_path / 'job')
    restore(output)
    assert [(row.page, row.pages, row.output) for row in rows_of(output)] == [
        (1, 2, 'final_results/scan.tif.p001.png'),
        (2, 2, 'final_results/scan.tif.p002.png'),
    ]
    assert is_clean(output) == CLEAN


def test_listing_leaves_out_what_is_no_photo_and_ends_where_links_lead_back(tmp_path):
    tree = tmp_path / 'tree'
    write_photo(tree / 'one/a.png')
    write_photo(tree / '.hidden/a.png')
    (tree / 'notes.txt').write_text('no photo')
    (tree / 'one/back').symlink_to(tree)
    (tree / 'nothing.png').symlink_to(tree / 'gone.png')
    os.mkfifo(tree / 'pipe.png')
    job, left_out = prepare_job(str(tree), str(tmp_path / 'job'))
    assert job.photos == 1
    assert left_out == {
        'hidden': 1, 'no images': 1, 'links to a folder that they lie in': 1, 'links to nothing, and devices': 2
    }  # fmt: skip


def test_a_prepared_job_is_left_as_it_is(tree, tmp_path):
    job, _ = prepare_job(str(tree), str(tmp_path / 'job'), shard_size=10)
    assert prepare_job(str(tree), str(tmp_path / 'job'), shard_size=10)[0] == job
    with pytest.raises(UsageError, match=r'in shards of 10, not of .* in shards of 11'):
        prepare_job(str(tree), str(tmp_path / 'job'), shard_size=11)
    with pytest.raises(UsageError, match='no job is prepared'):
        read_job(open_store(str(tmp_path / 'other')))


def test_of_two_listings_one_is_the_job(tree, tmp_path, monkeypatch):
    """The second begins and ends while the first one lists."""
    from daefr_arch.cluster import job as module

    listed, inner = module.list_photos, []

    def list_photos(address, left_out):
        monkeypatch.setattr(module, 'list_photos', listed)
        inner.append(prepare_job(str(tree), str(tmp_path / 'job'), shard_size=10)[0])
        yield from listed(address, left_out)

    monkeypatch.setattr(module, 'list_photos', list_photos)
    job, _ = prepare_job(str(tree), str(tmp_path / 'job'), shard_size=10)
    assert job == inner[0]
    assert os.listdir(tmp_path / 'job/manifest') == [job.listing]


def test_results_among_the_photos_are_refused(tree):
    with pytest.raises(UsageError, match='results would be photos'):
        prepare_job(str(tree), str(tree / 'results'))


def test_other_options_and_another_model_are_refused(tree, done):
    output, _ = done
    with pytest.raises(UsageError, match='extension was auto, is png'):
        restore(output, options=PhotoOptions(extension='png'))
    with pytest.raises(UsageError, match=r'restorer.upscale was 1, is 2'):
        restore(output, build=partial(tiny_restorer, upscale=2))
    with pytest.raises(UsageError, match=r'restorer.network.network was \w+, is \w+'):
        restore(output, build=partial(tiny_restorer, seed=1))
    assert restore(output).shards == 0


def test_resume_does_the_shards_without_results(tree, tmp_path):
    output = prepared(tree, tmp_path / 'job')
    restore(output)
    before = {path: path.stat().st_mtime_ns for path in (output / 'results').iterdir()}
    removed = sorted(before)[1]
    removed.unlink()
    assert verify_job(str(output)).missing == 10
    assert restore(output).shards == 1
    after = {path: path.stat().st_mtime_ns for path in (output / 'results').iterdir()}
    assert [path for path in after if after[path] != before[path]] == [removed]
    assert is_clean(output) == CLEAN


def test_shares_are_the_whole(tree, tmp_path):
    output = prepared(tree, tmp_path / 'job')
    assert [restore(output, share=(index, 3)).shards for index in range(3)] == [2, 1, 1]
    assert is_clean(output) == CLEAN


def test_verify_finds_what_is_wrong(done, tmp_path):
    output = tmp_path / 'job'
    shutil.copytree(done[0], output)
    results = output / 'final_results'
    (results / 'names/a.png').unlink()
    (results / 'names/a.jpg').write_bytes(b'cut')
    (results / 'stranger.png').write_bytes(b'?')
    (output / local_store.STAGING / 'left').mkdir(parents=True)
    (output / local_store.STAGING / 'left/over').write_bytes(b'')
    [job] = (output / 'manifest').iterdir()
    shutil.copy(job / '000000.parquet', job / '000001.parquet')
    found = verify_job(str(output))
    # a cut file is lost as what the row says, and a stranger as what it is; ten rows have no photo any more
    assert (found.lost, found.strangers, found.temporaries) == (2, 2 + 10, 1)
    assert (found.missing, found.duplicates) == (10, 10)
    assert not found.is_complete


def test_photos_that_are_not_there_on_this_machine_are_not_to_blame(tree, tmp_path):
    shutil.copytree(tree, tmp_path / 'tree')
    output = prepared(tmp_path / 'tree', tmp_path / 'job')
    (tmp_path / 'tree').rename(tmp_path / 'unmounted')
    with pytest.raises(StorageError, match='is the file system mounted'):
        restore(output)
    assert verify_job(str(output)).shards_left == 4


def test_a_file_system_that_goes_away_takes_no_photo_with_it(tmp_path):
    """At the first face that is looked for; what was read before is restored."""
    tree = make_tree(tmp_path / 'tree', 60)
    output = prepared(tree, tmp_path / 'job', shard_size=60)

    def unmounting():
        restorer = tiny_restorer()
        find_faces = restorer.find_faces

        def unmount_and_find(*args, **kwargs):
            if tree.exists():
                tree.rename(tmp_path / 'unmounted')
                tree.mkdir()
            return find_faces(*args, **kwargs)

        restorer.find_faces = unmount_and_find
        return restorer

    with pytest.raises(StorageError, match='is the file system mounted'):
        restore(output, build=unmounting)
    assert verify_job(str(output)).missing == 60


def test_an_interrupted_shard_blames_no_photo(tree, tmp_path, monkeypatch):
    output = prepared(tree, tmp_path / 'job')

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr('daefr_arch.cluster.shard.restore_jobs', interrupted)
        for _ in range(DEATHS + 5):
            with pytest.raises(KeyboardInterrupt):
                restore(output)
    assert not [path for path in (output / 'attempts').rglob('*') if path.is_file()]
    restore(output)
    assert is_clean(output) == CLEAN


def test_a_lease_of_another_machine_is_waited_for_until_it_expires(tree, tmp_path, monkeypatch):
    import time

    output = prepared(tree, tmp_path / 'job')
    restore(output, share=(1, 2))
    monkeypatch.setattr('daefr_arch.cluster.lease.EXPIRY', 1.5)
    monkeypatch.setattr('daefr_arch.cluster.run_job.WAIT', 0.1)
    (output / 'leases').mkdir(exist_ok=True)
    words = {'owner': 'x', 'process': 'other~1~2~3', 'renewed': time.time()}
    (output / 'leases/000000.json').write_text(json.dumps(words))
    start = time.monotonic()
    assert restore(output).statuses.total() == 20
    assert time.monotonic() - start > 1
    assert is_clean(output) == CLEAN
    assert os.listdir(output / 'leases') == []
