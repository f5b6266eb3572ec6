"""Which photos a run is to work on, and what forbids it: checked before anything is done."""

from collections.abc import Iterable
from pathlib import Path

from daefr_arch.restoration.earlier_runs import EarlierRuns
from daefr_arch.restoration.output_layout import OutputLayout, check_names, refuse_existing
from daefr_arch.restoration.photo_source import PhotoSource, photo_sources


def plan_outputs(
    sources: Iterable[Path | PhotoSource], layout: OutputLayout, *, report: Path, existing: str = 'refuse'
) -> list[PhotoSource]:
    """The photos to work on, after checking that no result would replace an input or another result.

    Args:
        sources: the files; every page of a TIFF file is a photo.
        layout: where the results go.
        report: of the run, and of earlier ones into this folder. A photo whose result is there and whose line is not,
            as after an interruption, is not done.
        existing: what to do where a result is there already: 'refuse' (an error), 'overwrite', or 'skip' that photo.

    Raises:
        UsageError: two photos would write one name, a result would replace an input, or results exist.
    """
    photos = photo_sources(sources)
    check_names(
        {Path(str(photo)): (layout.restored_face(photo.name, 0), layout.result(photo.name)) for photo in photos}
    )
    if existing == 'refuse':
        remedies = '--overwrite, --skip_existing or --output'
        refuse_existing([layout.result(photo.name) for photo in photos], remedies)
    if existing != 'skip':
        return photos
    earlier = EarlierRuns(layout, report)
    return [photo for photo in photos if not earlier.is_done(photo)]
