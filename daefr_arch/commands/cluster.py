"""`daefr cluster`: millions of photos on many machines, and the proof that none is lost and none is there twice."""

import argparse
import functools
import logging
import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from daefr_arch import choices
from daefr_arch.commands.arguments import add_input, count
from daefr_arch.commands.restorer_arguments import (
    add_face_arguments,
    add_model_arguments,
    add_photo_arguments,
    add_photo_file_arguments,
    build_restorer,
)

if TYPE_CHECKING:
    from daefr_arch.cluster.run_job import JobResult, Schedule
    from daefr_arch.cluster.worker import ShardWorker

_logger = logging.getLogger(__name__)

GO_ON = 'the same command goes on'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the three steps and their arguments."""
    steps = parser.add_subparsers(dest='step', metavar='STEP', required=True)
    for name, add, summary in (
        ('prepare', _add_prepare, 'list the photos of a tree, once, into a manifest of shards'),
        ('run', _add_run, 'restore the shards that are not done'),
        ('verify', _add_verify, 'prove that no photo is missing and none is there twice'),
    ):
        step = steps.add_parser(
            name,
            help=summary,
            description=f'daefr cluster {name}: {summary}',
            epilog=parser.epilog,
            formatter_class=parser.formatter_class,
        )
        add(step)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    add_input(parser, 'folder of photos, with those below it, or address such as s3://bucket/folder')
    _add_output(parser, 'folder or address of the job and its results')
    parser.add_argument('--shard_size', type=count, default=choices.SHARD_SIZE, metavar='N', help='photos of a shard')


def _add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        *('-o', '--output', '--output_path'), dest='output', required=True, metavar='ADDRESS', help=what
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_output(parser, 'of a job that was prepared')
    _add_workers(parser.add_argument_group('workers'))
    add_face_arguments(parser.add_argument_group('faces'))
    photo = parser.add_argument_group('whole photo')
    add_photo_arguments(photo)
    add_photo_file_arguments(photo)
    add_model_arguments(parser.add_argument_group('model'))


def _add_workers(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--workers', type=count, metavar='N', help='one a GPU, or a group of --threads cores, if not given'
    )
    group.add_argument('--threads', type=count, metavar='N', help='of a worker; the cores shared out if not given')
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        '--address', help='Ray cluster, as 10.0.0.1:6379, or auto; if not given, Ray is started on this machine'
    )
    where.add_argument(
        '--shard',
        type=_share,
        metavar='I/N',
        help='without Ray: one worker, for every N-th shard from number I on (0 to N-1), as for SLURM arrays',
    )


def _share(text: str) -> tuple[int, int]:
    """A type: `i/n`."""
    index, _, total = text.partition('/')
    if not (index.isdigit() and total.isdigit() and int(index) < int(total)):
        raise argparse.ArgumentTypeError(f'expected I/N, as 0/8 to 7/8 for 8 tasks, got {text!r}')
    return int(index), int(total)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_output(parser, 'of the job')


def run(args: argparse.Namespace) -> int:
    """Does the step; returns OK, or PARTIAL where photos failed or something is wrong."""
    from daefr_arch.cluster.libraries import load_pyarrow

    load_pyarrow()
    return {'prepare': _prepare, 'run': _run, 'verify': _verify}[args.step](args)


def _prepare(args: argparse.Namespace) -> int:
    from daefr_arch.cluster.job import prepare_job
    from daefr_arch.commands.exit_codes import OK

    job, left_out = prepare_job(args.input, args.output, shard_size=args.shard_size)
    for kind, number in left_out.most_common():
        _logger.info('left out: %d, %s', number, kind)
    _logger.info('%d photos in %d shards: daefr cluster run -o %s', job.photos, job.shards, args.output)
    return OK


def _run(args: argparse.Namespace) -> int:
    from daefr_arch.cluster.run_job import run_job
    from daefr_arch.cluster.settings import PhotoOptions
    from daefr_arch.cluster.worker import ShardWorker

    options = PhotoOptions(
        weight=args.weight,
        only_center_face=args.only_center_face,
        has_aligned=args.has_aligned,
        extension=args.ext,
        max_pixels=args.max_pixels,
    )
    # workers have other working folders
    for name in ('model_path', 'detection_weights', 'parse_weights', 'bg_weights', 'identity_weights'):
        if getattr(args, name):
            setattr(args, name, os.path.abspath(getattr(args, name)))
    if args.model.endswith('.onnx'):
        args.model = os.path.abspath(args.model)
    worker = ShardWorker(args.output, options, functools.partial(build_restorer, args), threads=args.threads)
    with _workers(args, worker) as schedule:
        result = run_job(args.output, schedule, share=args.shard or (0, 1), check=worker.start, progress=True)
    return _tell(result, args.output)


def _workers(args: argparse.Namespace, worker: 'ShardWorker') -> 'AbstractContextManager[Schedule]':
    if args.shard:
        from daefr_arch.cluster.worker_process import single_worker

        return single_worker(worker)
    from daefr_arch.cluster.ray_workers import ray_workers

    return ray_workers(worker, args.workers, args.threads, address=args.address, on_gpus=args.device != 'cpu')


def _tell(result: 'JobResult', output: str) -> int:
    from daefr_arch.commands.exit_codes import OK, PARTIAL

    statuses = result.statuses
    _logger.info(
        '%d shards, %d photos in %.0f s, %.2f photos/s: %s',
        result.shards,
        statuses.total(),
        result.elapsed,
        statuses.total() / max(result.elapsed, 1e-9),
        _counted(statuses),
    )
    _logger.info('daefr cluster verify -o %s', output)
    return PARTIAL if statuses['error'] + statuses['partial'] + statuses['killed'] else OK


def _counted(statuses: Any) -> str:
    return ', '.join(f'{count} {status}' for status, count in statuses.most_common()) or 'nothing was left'


def _verify(args: argparse.Namespace) -> int:
    from daefr_arch.cluster.verify import verify_job
    from daefr_arch.commands.exit_codes import FAILED, OK

    found = verify_job(args.output, progress=True)
    for example in found.examples:
        _logger.warning('%s', _printable(example))
    _logger.info(
        'photos %d, shards %d (%d not done), missing %d, duplicates %d, temporaries %d, lost %d, strangers %d',
        *(found.photos, found.shards, found.shards_left, found.missing),
        *(found.duplicates, found.temporaries, found.lost, found.strangers),
    )
    _logger.info('%s', _counted(found.statuses))
    return OK if found.is_complete else FAILED


def _printable(text: str) -> str:
    return text.encode(errors='surrogateescape').decode(errors='backslashreplace')
