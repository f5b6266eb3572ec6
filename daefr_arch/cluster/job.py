"""A job: a tree of photos, listed once into shards, and the folder or address that holds all that is known of it."""

import json
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from daefr_arch.choices import SHARD_SIZE
from daefr_arch.cluster.listing import list_photos
from daefr_arch.cluster.store import Store, absolute, is_local, local_path, open_store
from daefr_arch.cluster.tables import manifest_table, read_manifest
from daefr_arch.errors import InputError, UsageError
from daefr_arch.version import __version__

LAYOUT = 1  # of a job's files; another one is not read
_JOB = 'job.json'


@dataclass(frozen=True)
class Job:
    """What `prepare` found.

    input: address of the photos. photos, shards: how many. shard_size: photos of a shard, at most. listing: name of the
    folder that holds the shards: of several listings that are made at once, one becomes the job. version: of the
    package that made it.
    """

    input: str
    photos: int
    shards: int
    shard_size: int
    listing: str
    version: str = __version__
    layout: int = LAYOUT

    def paths(self, store: Store, shard: int) -> list[str]:
        """The photos of a shard. Raises InputError where its file is gone or damaged."""
        name = _manifest(self.listing, shard)
        data = store.read(name)
        if data is None:
            raise InputError(f'{store.address}/{name}: this part of the manifest is gone')
        return read_manifest(data)


def result_file(shard: int) -> str:
    """The name of a shard's results. The file is the commit: with it the shard is done."""
    return f'results/{shard:06d}.parquet'


def done_shards(store: Store) -> set[int]:
    """The shards that are done."""
    endings = (name.partition('.') for name in store.children('results'))
    return {int(number) for number, _, ending in endings if ending == 'parquet'}


def read_job(store: Store) -> Job:
    """The job of an output. Raises UsageError where none is prepared there, or by another layout of files."""
    data = store.read(_JOB)
    if data is None:
        raise UsageError(
            f'{store.address}: no job is prepared there: daefr cluster prepare -i PHOTOS -o {store.address}'
        )
    words = json.loads(data)
    if words.get('layout') != LAYOUT:
        raise UsageError(
            f'{store.address}: the job was prepared by daefr_arch {words.get("version")}: use that version'
        )
    return Job(**words)


def prepare_job(input_address: str, output_address: str, *, shard_size: int = SHARD_SIZE) -> tuple[Job, Counter[str]]:
    """Lists the photos of a tree, once, into a manifest of shards; a job that is prepared already is left as it is.

    However many photos there are, those of one shard are held. Of several that prepare one output at once, one does.

    Args:
        input_address: folder, or address of fsspec, of the photos.
        output_address: that of the results.
        shard_size: photos of a shard, at most.

    Returns:
        The job, and what was left out, by kind; nothing where the job was there.

    Raises:
        InputError: no photo is there, or a folder cannot be listed.
        UsageError: the output belongs to another job, or lies in the input.
        OutputError: the manifest cannot be written.
    """
    _keep_apart(input_address, output_address)
    store = open_store(output_address)
    left_out: Counter[str] = Counter()
    if store.read(_JOB) is None:
        listing = uuid.uuid4().hex[:12]
        job = _list(input_address, store, listing, shard_size, left_out)
        store.settle()
        if store.create(_JOB, json.dumps(asdict(job), indent=2).encode(errors='surrogateescape') + b'\n'):
            _remove_other_listings(store, listing)
            return job, left_out
        store.remove(f'manifest/{listing}')
    job = read_job(store)
    if (job.input, job.shard_size) != (absolute(input_address), shard_size):
        raise UsageError(
            f'{output_address}: is the job of {job.input} in shards of {job.shard_size}, not of '
            f'{absolute(input_address)} in shards of {shard_size}: choose another --output'
        )
    return job, Counter()


def _list(address: str, store: Store, listing: str, shard_size: int, left_out: Counter[str]) -> Job:
    photos = shards = 0
    paths: list[str] = []

    def write() -> None:
        nonlocal photos, shards
        staged.write(_manifest(listing, shards), manifest_table(paths))
        photos, shards = photos + len(paths), shards + 1
        paths.clear()

    with store.staging('prepare') as staged:
        for path in list_photos(address, left_out):
            paths.append(path)
            if len(paths) == shard_size:
                write()
        if paths:
            write()
    if not photos:
        raise InputError(f'no photo below {address}')
    return Job(absolute(address), photos, shards, shard_size, listing)


def _manifest(listing: str, shard: int) -> str:
    return f'manifest/{listing}/{shard:06d}.parquet'


def _remove_other_listings(store: Store, listing: str) -> None:
    """What earlier ones that were killed have left; one that goes on at the same time finds the job at its end."""
    for name in store.children('manifest'):
        if name != listing:
            store.remove(f'manifest/{name}')


def _keep_apart(source: str, output: str) -> None:
    if is_local(source) and is_local(output):
        folder, results = Path(local_path(source)).resolve(), Path(local_path(output)).resolve()
        inside = folder == results or folder in results.parents
    else:
        inside = f'{output.rstrip("/")}/'.startswith(f'{source.rstrip("/")}/')
    if inside:
        raise UsageError(f'{output} lies in {source}: results would be photos to restore; choose another --output')
