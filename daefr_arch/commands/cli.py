"""The `daefr` command: finds the subcommand, parses its arguments, runs it and turns its errors into exit codes.

A subcommand is a module of `daefr_arch.commands` with `add_arguments(parser)` and `run(args) -> int`. It imports
what is slow (torch, basicsr, OpenCV) inside `run`, so that help is instant.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from daefr_arch.commands.exit_codes import EXIT_CODES, FAILED, INTERRUPTED, USAGE
from daefr_arch.errors import DAEFRError, UsageError
from daefr_arch.version import __version__

# subcommand -> (module of daefr_arch.commands, one line for the help)
COMMANDS = {
    'restore': ('restore', 'restore the faces of photos'),
    'demo': ('demo', 'restore the embedded sample photos'),
    'train': ('train', 'train a stage from an option file'),
    'test': ('test', "run an option file of options/test through BasicSR's test pipeline"),
    'make-lmdb': ('make_lmdb', 'build and verify a BasicSR LMDB from a folder of images'),
    'network-faces': ('network_faces', 'write the training data of the harmonising network'),
    'degrade': ('degrade', 'write a paired test set from a folder of high-quality faces'),
    'ablate': ('ablate', 'train, restore and measure the rows of an ablation table of the paper'),
    'evaluate': ('evaluate', 'measure a folder of results'),
    'reconstruct': ('reconstruct', 'run faces through the HQ, LQ and hybrid path of the codebooks (Fig. 6)'),
    'similarity': ('similarity', 'show how far the HQ and the LQ encoder are associated (Sec. 3.2)'),
    'compare': ('compare', 'run the same faces through several methods; table and web page'),
    'verify': ('verify', 'face verification accuracy on an LFW-style folder'),
    'convert': ('convert', 'convert a checkpoint to safetensors'),
    'download': ('download', 'download and verify weights'),
}


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the module of `command`, if any, is imported for its arguments."""
    parser = argparse.ArgumentParser(prog='daefr', description='Blind face restoration with DAEFR.', epilog=EXIT_CODES)
    parser.add_argument('--version', action='version', version=f'daefr {__version__}')
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, (module, summary) in COMMANDS.items():
        formatter = argparse.ArgumentDefaultsHelpFormatter
        subparser = subparsers.add_parser(
            name, help=summary, description=f'daefr {name}: {summary}', epilog=EXIT_CODES, formatter_class=formatter
        )
        if name == command:
            importlib.import_module(f'daefr_arch.commands.{module}').add_arguments(subparser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code (see EXIT_CODES). `arguments`: those of the process, if None."""
    return run(parse(arguments))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of a command; help and wrong arguments end the process, before anything slow is imported."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in arguments if not word.startswith('-')), None)
    return build_parser(command).parse_args(arguments)


def run(args: argparse.Namespace) -> int:
    """Runs the command with the arguments of `parse`; returns the exit code."""
    # PyTorch reads it at its first allocation: large tensors in huge pages cost fewer page faults (Linux, CPU)
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    module = importlib.import_module(f'daefr_arch.commands.{COMMANDS[args.command][0]}')
    try:
        return module.run(args)
    except DAEFRError as error:
        logging.getLogger('daefr_arch').error('daefr %s: error: %s', args.command, error)
        return USAGE if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        logging.getLogger('daefr_arch').error('daefr %s: interrupted', args.command)
        return INTERRUPTED
