"""`daefr reconstruct`: aligned faces through the HQ, LQ and hybrid path of encoder, codebook and decoder (Fig. 6)."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daefr_arch.analysis.codebook_path import CodebookPath

_logger = logging.getLogger(__name__)

# of daefr_arch.analysis.codebook_path, repeated here because help must not wait for torch; a test compares them
PATHS = {'hq': ('hq',), 'lq': ('lq',), 'hybrid': ('hq', 'lq')}  # path -> the autoencoders that it needs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        '--path',
        nargs='+',
        required=True,
        choices=PATHS,
        help='hq: HQ encoder, codebook and decoder; lq: those of LQ; hybrid: LQ encoder, HQ codebook and decoder',
    )
    checkpoint = 'of stage 1 or 2, or an official one'
    parser.add_argument('--hq', metavar='FILE', help=f'HQ autoencoder, a checkpoint {checkpoint}: for hq and hybrid')
    parser.add_argument('--lq', metavar='FILE', help='LQ autoencoder, likewise: for lq and hybrid')
    parser.add_argument(
        '-i', '--input', required=True, metavar='PATH', help='aligned faces of any size: image, folder or glob'
    )
    parser.add_argument('-o', '--output', default='reconstructions', metavar='FOLDER', help='made if missing')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, mps')
    parser.add_argument('--batch_size', type=int, default=8, help='faces at once; halved when memory runs out')
    parser.add_argument('--overwrite', action='store_true', help='replace results that exist (else: an error)')


def run(args: argparse.Namespace) -> int:
    """Writes images and statistics and prints these; returns the exit code: PARTIAL if some images cannot be read."""
    from daefr_arch.analysis.path_statistics import to_text
    from daefr_arch.analysis.reconstruction import ReconstructionLayout, reconstruct_faces, write_statistics
    from daefr_arch.commands.exit_codes import OK, PARTIAL
    from daefr_arch.errors import InputError, UsageError
    from daefr_arch.io.image_listing import list_images
    from daefr_arch.restoration.output_layout import check_names, refuse_existing
    from daefr_arch.runtime.precision import resolve_device

    paths = tuple(dict.fromkeys(args.path))
    files = {'hq': args.hq, 'lq': args.lq}
    for path in paths:
        for domain in PATHS[path]:
            if files[domain] is None:
                raise UsageError(f'--path {path} needs --{domain}, the checkpoint of the {domain.upper()} autoencoder')
    if args.batch_size < 1:
        raise UsageError(f'batch_size: expected 1 or more, got {args.batch_size}')
    layout = ReconstructionLayout(Path(args.output), paths)
    sources = list_images(args.input)
    results = {source: layout.results(source) for source in sources}
    check_names(results)
    if not args.overwrite:
        written = [layout.statistics, layout.counts, *(file for files_of in results.values() for file in files_of)]
        refuse_existing(written, '--overwrite or another --output')
    used = {domain: files[domain] for domain in files if any(domain in PATHS[path] for path in paths)}
    try:
        device = resolve_device(args.device)
        networks = _build_paths(paths, used)
    except InputError as error:
        raise UsageError(str(error)) from error
    statistics, failed = reconstruct_faces(
        networks, sources, layout, device=device, batch_size=args.batch_size, progress=len(sources) > 1
    )
    write_statistics(layout, statistics, checkpoints=used, failed=failed)
    _logger.info('%s\n%s: %d images left out', to_text(statistics), layout.root, len(failed))
    return PARTIAL if failed else OK


def _build_paths(paths: tuple[str, ...], files: dict[str, str]) -> 'list[CodebookPath]':
    """The paths through the autoencoders of the files, which they share."""
    from daefr_arch.analysis.codebook_files import load_autoencoder
    from daefr_arch.analysis.codebook_path import CodebookPath
    from daefr_arch.errors import InputError

    autoencoders = {domain: load_autoencoder(file, domain) for domain, file in files.items()}
    sizes = {domain: autoencoder.resolution for domain, autoencoder in autoencoders.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f'--hq takes images of {sizes["hq"]} px, --lq of {sizes["lq"]} px: run their paths apart')
    return [CodebookPath(path, **autoencoders) for path in paths]
