"""Jobs at addresses: an S3 server of this process, and fsspec's memory."""

import threading
from functools import partial

import fsspec
import pytest

from daefr_arch.cluster import remote_store
from daefr_arch.cluster.job import prepare_job
from daefr_arch.cluster.run_job import run_job
from daefr_arch.cluster.settings import PhotoOptions
from daefr_arch.cluster.store import open_store
from daefr_arch.cluster.verify import verify_job
from daefr_arch.cluster.worker import ShardWorker
from daefr_arch.errors import OutputError
from tests.cluster.photos import CLEAN, NOT_UTF8, is_clean, make_tree, rows_of, tiny_restorer


@pytest.fixture(scope='module')
def s3():
    """The address of an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
            environment.setenv(name, 'testing')
        environment.setenv('AWS_DEFAULT_REGION', 'us-east-1')
        environment.setenv('AWS_ENDPOINT_URL', 'http://{}:{}'.format(*server.get_host_and_port()))
        fsspec.filesystem('s3').mkdir('daefr')
        yield 's3://daefr'
        fsspec.filesystem('s3').clear_instance_cache()
    server.stop()


@pytest.fixture(params=['s3', 'memory'])
def address(request):
    if request.param == 's3':
        return request.getfixturevalue('s3') + '/' + request.node.name.partition('[')[0]
    return f'memory://{request.node.name.partition("[")[0]}'


def restore(output):
    worker = ShardWorker(output, PhotoOptions(), tiny_restorer)
    return run_job(output, partial(map, worker.restore))


def test_photos_from_an_address_to_an_address(address, tmp_path):
    tree = make_tree(tmp_path / 'tree', 20)
    store = open_store(f'{address}/in')
    photos = [path for path in tree.rglob('*') if path.is_file() and NOT_UTF8 not in str(path)]
    for photo in photos:
        store.write(str(photo.relative_to(tree)), photo.read_bytes())
    prepare_job(f'{address}/in', f'{address}/out', shard_size=5)
    result = restore(f'{address}/out')
    assert result.statuses == {'no_face': len(photos) - 2, 'ok': 1, 'error': 1}
    assert is_clean(f'{address}/out') == CLEAN
    outputs = {row.path: row.output for row in rows_of(f'{address}/out')}
    assert outputs['names/a.tif'] == 'final_results/names/a.tif.png'
    data = open_store(f'{address}/out').read(outputs['names/face.png'])
    local = tmp_path / 'out'
    prepare_job(str(tree), str(local))
    restore(str(local))
    assert data == (local / 'final_results/names/face.png').read_bytes()


def test_names_that_are_no_utf8_are_escaped_at_an_address(address, tmp_path):
    tree = make_tree(tmp_path / 'tree', 12)
    prepare_job(str(tree), f'{address}/out')
    restore(f'{address}/out')
    assert is_clean(f'{address}/out') == CLEAN
    outputs = {row.path: row.output for row in rows_of(f'{address}/out')}
    assert outputs[f'names/{NOT_UTF8}/{NOT_UTF8}.jpg'] == 'final_results/names/caf%E9/caf%E9.jpg'
    assert outputs['names/100%.png'] == 'final_results/names/100%25.png'


def test_of_many_that_create_an_object_one_does(address):
    stores = [open_store(f'{address}/race') for _ in range(8)]
    created = []
    begin = threading.Barrier(len(stores))

    def create(number):
        begin.wait()
        created.append(stores[number].create('commit', str(number).encode()))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 7 + [True]


def test_a_photo_that_is_gone_is_a_row(address):
    store = open_store(f'{address}/in')
    for name in ('a.png', 'b.png'):
        store.write(name, b'not an image')
    prepare_job(f'{address}/in', f'{address}/out')
    store.remove('b.png')
    restore(f'{address}/out')
    errors = {row.path: row.error for row in rows_of(f'{address}/out')}
    assert 'not an image' in errors['a.png']
    assert 'is not there any more' in errors['b.png']


def test_a_store_that_does_not_answer_is_not_the_photos_fault(tmp_path, monkeypatch):
    address = 'memory://silent'
    store = open_store(f'{address}/in')
    store.write('a.png', b'not an image')
    prepare_job(f'{address}/in', str(tmp_path / 'out'))
    monkeypatch.setattr(remote_store, 'PAUSE', 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(type(store._files), 'cat_file', no_route)
        with pytest.raises(OutputError, match='no route'):
            restore(str(tmp_path / 'out'))
    assert verify_job(str(tmp_path / 'out')).shards_left == 1
    restore(str(tmp_path / 'out'))
    assert is_clean(tmp_path / 'out') == CLEAN


def no_route(*args):
    raise OSError('no route')
