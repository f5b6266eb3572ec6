"""`daefr test`: an option file of options/test, by BasicSR's test_pipeline."""

import argparse

from daefr_arch.commands.train import add_pipeline_arguments, pipeline_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_pipeline_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from daefr_arch.commands.exit_codes import OK
    from daefr_arch.models import training_run

    training_run.run(pipeline_arguments(args), is_train=False)
    return OK
