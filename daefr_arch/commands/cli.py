"""The `daefr` command: finds the subcommand, parses its arguments, runs it and turns its errors into exit codes.

A subcommand is a module of `daefr_arch.commands` with `add_arguments(parser)`, `run(args) -> int` and, where an
interrupted run can be continued, `GO_ON`: how. It imports what is slow (torch, basicsr, OpenCV) inside `run`, so that
help is instant.
"""

import argparse
import difflib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

from daefr_arch.commands.exit_codes import EXIT_CODES, FAILED, INTERRUPTED, TERMINATED, USAGE
from daefr_arch.commands.process import StoppedError, configure_logging, piped_output, stoppable
from daefr_arch.errors import DAEFRError, UsageError
from daefr_arch.torch_extra import require_torch
from daefr_arch.version import __version__

# subcommand -> (module of daefr_arch.commands, one line for the help)
COMMANDS = {
    'restore': ('restore', 'restore the faces of photos'),
    'video': ('video', 'restore the faces of a film'),
    'cluster': ('cluster', 'restore millions of photos on many machines'),
    'web': ('web', 'open a local page to drop photos on'),
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
    'export': ('export', 'write a DAEFR as an ONNX file, for programs without PyTorch'),
    'download': ('download', 'download and verify weights'),
}

# what ONNX Runtime computes where PyTorch is not installed, or computes nothing
WITHOUT_TORCH = ('restore', 'video', 'web', 'demo', 'download')

_logger = logging.getLogger(__name__)


class CommandParser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Nothing is left over: an unknown argument is an error of the subcommand, which knows what is near it."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = difflib.get_close_matches(unknown[0].partition('=')[0], self._option_string_actions, 1)
            self.error(f'unknown arguments: {" ".join(unknown)}' + (f'; is {near[0]} meant?' if near else ''))
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """Exits with USAGE."""
        self.exit(USAGE, f'{self.prog}: error: {message} (see {self.prog} --help)\n')


class DefaultsFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that tells the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or isinstance(action.default, bool | list):
            return action.help
        return super()._get_help_string(action)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the module of `command`, if any, is imported for its arguments."""
    parser = CommandParser(prog='daefr', description='Blind face restoration with DAEFR.', epilog=EXIT_CODES)
    parser.add_argument('--version', action='version', version=f'daefr {__version__}')
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, (_, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=f'daefr {name}: {summary}',
            epilog=EXIT_CODES,
            formatter_class=DefaultsFormatter,
        )
        if name == command:
            _module(name).add_arguments(subparser)
    return parser


def with_underscores(arguments: Sequence[str]) -> list[str]:
    """`--skip-existing` -> `--skip_existing`: flags are spelt as CodeFormer's and BasicSR's, and understood both ways.

    Example:
        >>> with_underscores(['make-lmdb', '--compress-level=9', '-i', 'a-b', '--', '--c-d'])
        ['make-lmdb', '--compress_level=9', '-i', 'a-b', '--', '--c-d']
    """
    end = arguments.index('--') if '--' in arguments else len(arguments)
    return [_with_underscores(word) for word in arguments[:end]] + list(arguments[end:])


def _with_underscores(word: str) -> str:
    name, equals, value = word.partition('=')
    return f'--{name[2:].replace("-", "_")}{equals}{value}' if name.startswith('--') else word


def main(arguments: Sequence[str] | None = None, *, load: Callable[[], None] | None = None) -> int:
    """Runs the command; returns the exit code (see EXIT_CODES).

    Args:
        arguments: those of the process, if None.
        load: what is called between the parsing, which ends help and wrong arguments, and the command.
    """
    words = with_underscores(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith('-')), None)

    def say(exit_code: int) -> None:
        _logger.error(
            'daefr%s: %s', f' {command}' if command else '', _how_it_ended(command, exit_code, begun=stopper.started)
        )

    with piped_output(), stoppable(say) as stopper:
        args = build_parser(command).parse_args(words)
        configure_logging()
        # PyTorch reads it at its first allocation: large tensors in huge pages cost fewer page faults (Linux, CPU)
        os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
        try:
            if command not in WITHOUT_TORCH:
                require_torch(f'daefr {command}')
            if load is not None and needs_torch(args):
                load()
            stopper.started = True
            return _module(args.command).run(args)
        except DAEFRError as error:
            _logger.error('daefr %s: error: %s', args.command, error)
            return USAGE if isinstance(error, UsageError) else FAILED
        except KeyboardInterrupt as interruption:
            exit_code = interruption.exit_code if isinstance(interruption, StoppedError) else INTERRUPTED
            stopper.say(exit_code)
            return exit_code


def needs_torch(args: argparse.Namespace) -> bool:
    """Whether what is registered at the import of the package is needed, which takes seconds."""
    is_graph = str(getattr(args, 'model_path', None) or getattr(args, 'model', '')).endswith('.onnx')
    return getattr(args, 'backend', 'torch') != 'onnx' and not is_graph


def _module(command: str) -> ModuleType:
    return importlib.import_module(f'daefr_arch.commands.{COMMANDS[command][0]}')


def _how_it_ended(command: str | None, exit_code: int, *, begun: bool) -> str:
    """As `interrupted after 3 of 10 photos; --skip_existing goes on`."""
    text = 'terminated' if exit_code == TERMINATED else 'interrupted'
    if command is None or not begun:
        return f'{text} before anything was done'
    progress = sys.modules.get('daefr_arch.io.progress')
    bar = progress.ProgressBar.last if progress else None
    if bar is not None:
        bar.close()  # else the text would stand behind it
    go_on = getattr(_module(command), 'GO_ON', None)
    return text + (f' after {bar.count()}' if bar else '') + (f'; {go_on}' if go_on else '')
