"""BasicSR LMDBs from folders of images: built in a folder beside the target, verified, then renamed to it.

A record is a PNG under a key made of the path; meta_info.txt lists `KEY.png (h,w,c) compression-level`. BasicSR's
readers cut a key at its first dot and encode it in ASCII: other characters are escaped as in URLs.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import cv2
import lmdb
import numpy as np

from daefr_arch.data.image_source import META_INFO
from daefr_arch.errors import InputError, OutputError, UsageError
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.folder_lock import locked_folder
from daefr_arch.io.image_file import read_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.progress import ProgressBar
from daefr_arch.io.resize import resize_square

FIRST_MAP_SIZE = 1 << 28  # bytes of address space, doubled when they are full
LONGEST_KEY = 511  # bytes, LMDB's limit
IMAGES_PER_COMMIT = 128
SETTINGS = 'settings.json'
META_LINE = re.compile(r'(?P<key>.+)\.png \((?P<shape>\d+,\d+,\d+)\) \d+')


@dataclass
class BuildReport:
    """What became of the images of a folder.

    Attributes:
        written: images written by this run.
        resumed: images that an interrupted run had written.
        failed: image -> why it is not in the LMDB.
    """

    written: int = 0
    resumed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def make_keys(paths: Sequence[Path]) -> list[str]:
    """Keys of image files: the path without extension, which stays where two files differ by nothing else."""
    stems = Counter(path.with_suffix('') for path in paths)
    names = (path if stems[path.with_suffix('')] > 1 else path.with_suffix('') for path in paths)
    return [quote(name.as_posix()).replace('.', '%2E') for name in names]


def build_lmdb(
    folder: str | Path,
    lmdb_path: str | Path,
    *,
    size: int | None = None,
    compress_level: int = 1,
    workers: int = 2,
    progress: bool = False,
) -> BuildReport:
    """Writes the images of `folder` and its subfolders to a new LMDB and reads every record back.

    A run that was interrupted goes on where its last commit was when it is called again. The LMDB appears under its
    name when it is complete. Images that cannot be read are left out and reported.

    Args:
        folder: of the images; alpha is dropped, 16 bits become 8, EXIF orientation is applied.
        lmdb_path: name of the new LMDB, ends with .lmdb.
        size: side in pixels that square images are resized to; None keeps their sizes.
        compress_level: of PNG, 0 to 9.
        workers: threads that read and encode.
        progress: whether to show a progress bar.

    Raises:
        UsageError: the name is wrong or taken, an interrupted run had other settings, or another run is at it.
        OutputError: the disk is full, or the address space.
        InputError: the folder holds no (readable) image, or a record is not what was written.
    """
    folder, lmdb_path = Path(folder), Path(lmdb_path)
    if lmdb_path.suffix != '.lmdb':
        raise UsageError(f'{lmdb_path}: the name of an LMDB must end with .lmdb')
    if lmdb_path.exists():
        raise UsageError(f'{lmdb_path}: exists already; remove it or choose another name')
    paths = [path.relative_to(folder) for path in list_images(folder, recursive=True)]
    partial = lmdb_path.with_name(lmdb_path.name + '.partial')
    make_folder(partial)
    with locked_folder(partial):
        _claim(partial, {'folder': str(folder.resolve()), 'size': size, 'compress_level': compress_level})
        report = _write(folder, paths, partial, size, compress_level, workers=workers, progress=progress)
        verify_lmdb(partial, progress=progress)
        (partial / SETTINGS).unlink()
    partial.rename(lmdb_path)
    return report


def _write(
    folder: Path,
    paths: Sequence[Path],
    partial: Path,
    size: int | None,
    compress_level: int,
    *,
    workers: int,
    progress: bool,
) -> BuildReport:
    """Writes what an interrupted run has not written; then the lines of meta_info.txt in the order of the paths."""
    keys = make_keys(paths)
    lines = {key: line for key, line in _finished_lines(partial).items() if key in set(keys)}
    report = BuildReport(resumed=len(lines))
    todo = [(path, key) for path, key in zip(paths, keys, strict=True) if key not in lines]

    def encode(item: tuple[Path, str]) -> tuple[Path, str, bytes | InputError, str]:
        path, key = item
        try:
            data, shape = _encode(folder / path, key, size, compress_level)
        except InputError as error:
            return path, key, error, ''
        return path, key, data, f'{key}.png ({",".join(map(str, shape))}) {compress_level}'

    bar = ProgressBar(total=len(paths), initial=len(lines), unit='image', desc='writing', disable=not progress)
    with bar, _open_to_write(partial) as environment, ThreadPoolExecutor(workers) as pool:
        waiting = iter(todo)
        while chunk := list(islice(waiting, IMAGES_PER_COMMIT)):
            records, committed = {}, {}
            for path, key, data, line in pool.map(encode, chunk):
                bar.update()
                if isinstance(data, InputError):
                    report.failed[path.as_posix()] = str(data)
                else:
                    records[key.encode()], committed[key] = data, line
            _commit(environment, records)
            # a line follows the commit of its record: what is listed is there
            with (partial / META_INFO).open('a') as meta:
                meta.writelines(f'{line}\n' for line in committed.values())
            lines |= committed
            report.written += len(committed)
    if not lines:
        raise InputError(
            f'{folder}: none of its {len(paths)} images can be read, as {next(iter(report.failed.values()))}'
        )
    (partial / META_INFO).write_text(''.join(f'{lines[key]}\n' for key in keys if key in lines))
    return report


def _open_to_write(folder: Path) -> lmdb.Environment:
    """The LMDB of a folder; its map is as large as its file at least."""
    try:
        return lmdb.open(str(folder), map_size=FIRST_MAP_SIZE)
    except lmdb.Error as error:
        raise OutputError(f'{folder}: cannot be written: {error}') from error


def _commit(environment: lmdb.Environment, records: Mapping[bytes, bytes]) -> None:
    """Puts the records in one transaction, and grows the map where they do not fit into it."""
    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, data in records.items():
                    transaction.put(key, data)
            return
        except lmdb.MapFullError:
            map_size = 2 * environment.info()['map_size']
        except lmdb.Error as error:  # such as a full disk
            raise OutputError(f'{environment.path()}: cannot be written: {error}') from error
        try:
            environment.set_mapsize(map_size)
        except lmdb.Error as error:
            raise OutputError(
                f'{environment.path()}: an LMDB needs its size of address space, and {map_size >> 20} MiB are refused '
                f'({error}): raise the limit (ulimit -v) and repeat the command, it goes on'
            ) from error


def verify_lmdb(lmdb_path: str | Path, *, progress: bool = False) -> int:
    """Decodes every record that meta_info.txt lists; returns how many there are.

    Raises:
        InputError: no LMDB, or records are missing, damaged, or of another shape than listed; names the first ones.
    """
    lines = _finished_lines(Path(lmdb_path))
    if not lines:
        raise InputError(f'{lmdb_path}: not a BasicSR LMDB: its {META_INFO} is missing or lists no images')
    damaged = []
    try:
        environment = lmdb.open(str(lmdb_path), readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        raise InputError(f'{lmdb_path}: cannot be opened: {error}') from error
    with environment, environment.begin(buffers=True) as transaction:
        for key, line in ProgressBar(lines.items(), unit='image', desc='verifying', disable=not progress):
            if not _is_intact(transaction.get(key.encode()), line):
                damaged.append(key)
    if damaged:
        raise InputError(
            f'{lmdb_path}: {len(damaged)} of {len(lines)} records are missing or damaged: {", ".join(damaged[:5])}'
        )
    return len(lines)


def _claim(partial: Path, settings: dict[str, object]) -> None:
    """Checks that the folder to build in was begun with the same settings, if it was."""
    record = partial / SETTINGS
    text = json.dumps(settings)
    if record.exists() and record.read_text() != text:
        raise UsageError(
            f'{partial} was begun with other settings ({record.read_text()}): repeat them to go on, or remove it'
        )
    record.write_text(text)


def _finished_lines(folder: Path) -> dict[str, str]:
    """Key -> line of meta_info.txt, without a last line that an interruption cut off."""
    meta = folder / META_INFO
    if not meta.exists():
        return {}
    return dict(_parse(meta.read_text(encoding='utf-8')))


def _parse(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split('\n')[:-1]:
        match = META_LINE.fullmatch(line)
        if match:
            yield match['key'], line


def _encode(path: Path, key: str, size: int | None, compress_level: int) -> tuple[bytes, tuple[int, ...]]:
    if len(key) > LONGEST_KEY:
        raise InputError(f'{path}: its key has {len(key)} bytes, more than the {LONGEST_KEY} of LMDB')
    image = as_uint8(read_image(path, whole=True).pixels)
    if size is not None:
        image = resize_square(image, size)
    _, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, compress_level])
    return data.tobytes(), image.shape


def _is_intact(record: memoryview | None, line: str) -> bool:
    if not record:
        return False
    image = cv2.imdecode(np.frombuffer(record, np.uint8), cv2.IMREAD_UNCHANGED)
    match = META_LINE.fullmatch(line)
    if image is None or match is None:
        return False
    height, width, channels = map(int, match['shape'].split(','))
    return image.shape == ((height, width) if channels == 1 else (height, width, channels))
