"""`daefr train`: a stage of an option file, by BasicSR's train_pipeline."""

import argparse

GO_ON = '--auto_resume goes on from the last saved state'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_pipeline_arguments(parser)
    parser.add_argument('--auto_resume', action='store_true', help='go on from the newest state of the experiment')


def add_pipeline_arguments(parser: argparse.ArgumentParser) -> None:
    """BasicSR's options, as its own parser has them."""
    parser.add_argument('-opt', '--opt', required=True, metavar='FILE', help='option file (.yml)')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='pytorch: torchrun')
    parser.add_argument('--debug', action='store_true', help='print and save often, no TensorBoard')
    parser.add_argument(
        '--import',
        dest='modules',
        nargs='+',
        metavar='MODULE',
        help='modules or packages of yours that register networks, losses, datasets, metrics or models',
    )
    parser.add_argument('--force_yml', nargs='+', metavar='KEY=VALUE', help='override options: train:ema_decay=0.999')


def pipeline_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments again, as BasicSR's parser reads them."""
    arguments = ['-opt', args.opt, '--launcher', args.launcher]
    arguments += [f'--{name}' for name in ('auto_resume', 'debug') if getattr(args, name, False)]
    arguments += ['--import', *args.modules] if args.modules else []
    return [*arguments, *(['--force_yml', *args.force_yml] if args.force_yml else [])]


def run(args: argparse.Namespace) -> int:
    from daefr_arch.commands.exit_codes import OK
    from daefr_arch.models import training_run

    training_run.run(pipeline_arguments(args))
    return OK
