"""Names of the films that are written."""

from pathlib import Path

from daefr_arch.errors import UsageError
from daefr_arch.video.encoding import CONTAINERS
from daefr_arch.video.recognition import is_animation

# containers that are not written, as they hold no times of frames or no current codecs: what is written instead
FALLBACK, ANIMATION_AS = '.mkv', '.mp4'


def result_path(
    source: Path, folder: Path, *, extension: str = 'auto', suffix: str | None = None, codec: str | None = None
) -> Path:
    """The film to write for `source`.

    Args:
        source: the film.
        folder: of the result; it may also be the film's own name, with one of the endings that can be written.
        extension: 'auto' for the source's container, or the ending without a dot.
        suffix: appended to the name after an underscore.
        codec: that shall be written, where `extension` is 'auto'.

    Raises UsageError for a suffix that is no part of a file name.
    """
    if suffix is not None and Path(f'_{suffix}').name != f'_{suffix}':
        raise UsageError(f'suffix: expected a part of a file name, got {suffix!r}')
    ending = f'.{extension}'
    if extension == 'auto':
        ending = source.suffix.lower()
        if source.is_file() and is_animation(source):
            ending = ANIMATION_AS
        if ending not in CONTAINERS or (codec is not None and codec not in CONTAINERS[ending]):
            ending = FALLBACK
    if folder.suffix.lower() in CONTAINERS and extension == 'auto' and not folder.is_dir():
        return folder
    return folder / f'{source.stem}{f"_{suffix}" if suffix else ""}{ending}'
