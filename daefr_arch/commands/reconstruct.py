"""`daefr reconstruct`: aligned faces through the HQ, LQ and hybrid path of encoder, codebook and decoder (Fig. 6)."""

import argparse
import logging
from typing import TYPE_CHECKING

from daefr_arch.choices import CODEBOOK_PATHS
from daefr_arch.commands.arguments import add_batch_size, add_device, add_input, add_output, device_of

if TYPE_CHECKING:
    from daefr_arch.analysis.codebook_path import CodebookPath

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        '--path',
        nargs='+',
        required=True,
        choices=CODEBOOK_PATHS,
        help='hq: HQ encoder, codebook and decoder; lq: those of LQ; hybrid: LQ encoder, HQ codebook and decoder',
    )
    checkpoint = 'of stage 1 or 2, or an official one'
    parser.add_argument('--hq', metavar='FILE', help=f'HQ autoencoder, a checkpoint {checkpoint}: for hq and hybrid')
    parser.add_argument('--lq', metavar='FILE', help='LQ autoencoder, likewise: for lq and hybrid')
    add_input(parser, 'aligned faces of any size: image, folder or glob')
    add_output(parser, 'made if missing', default='reconstructions')
    add_device(parser)
    add_batch_size(parser)
    parser.add_argument('--overwrite', action='store_true', help='replace results that exist (else: an error)')


def run(args: argparse.Namespace) -> int:
    """Writes images and statistics and prints these; returns the exit code: PARTIAL if some images cannot be read."""
    from daefr_arch.analysis.path_statistics import to_text
    from daefr_arch.analysis.reconstruction import ReconstructionLayout, reconstruct_faces, write_statistics
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.errors import InputError, UsageError
    from daefr_arch.io.image_listing import list_images
    from daefr_arch.restoration.output_layout import check_names, refuse_existing

    paths = tuple(dict.fromkeys(args.path))
    files = {'hq': args.hq, 'lq': args.lq}
    for path in paths:
        for domain in dict.fromkeys(CODEBOOK_PATHS[path]):
            if files[domain] is None:
                raise UsageError(f'--path {path} needs --{domain}, the checkpoint of the {domain.upper()} autoencoder')
    layout = ReconstructionLayout(args.output, paths)
    sources = list_images(args.input)
    results = {source: layout.results(source) for source in sources}
    check_names(results)
    if not args.overwrite:
        written = [layout.statistics, layout.counts, *(file for files_of in results.values() for file in files_of)]
        refuse_existing(written, '--overwrite or another --output')
    used = {domain: files[domain] for domain in files if any(domain in CODEBOOK_PATHS[path] for path in paths)}
    device = device_of(args)
    try:
        networks = _build_paths(paths, used)
    except InputError as error:
        raise UsageError(str(error)) from error
    statistics, failed = reconstruct_faces(
        networks, sources, layout, device=device, batch_size=args.batch_size, progress=len(sources) > 1
    )
    _logger.info('%s', to_text(statistics))
    write_statistics(layout, statistics, checkpoints=used, failed=failed)
    _logger.info('%s: %d images left out', layout.root, len(failed))
    return PARTIAL if failed else OK


def _build_paths(paths: tuple[str, ...], files: dict[str, str]) -> 'list[CodebookPath]':
    """The paths through the autoencoders of the files, which they share."""
    from daefr_arch.analysis.codebook_files import load_autoencoder
    from daefr_arch.analysis.codebook_path import CodebookPath
    from daefr_arch.errors import InputError

    autoencoders = {domain: load_autoencoder(file, 'hq' if domain == 'hq' else 'lq') for domain, file in files.items()}
    sizes = {domain: autoencoder.resolution for domain, autoencoder in autoencoders.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f'--hq takes images of {sizes["hq"]} px, --lq of {sizes["lq"]} px: run their paths apart')
    return [CodebookPath(path, **autoencoders) for path in paths]
