"""From which training state a run goes on: the newest whole one, or the one that the options name."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basicsr.utils import check_resume

from daefr_arch.checkpoints import (
    BASICSR_STATE_KEYS,
    STATE_KEYS,
    check_saved_networks,
    load_training_state,
    remove_temporaries,
    training_states,
)
from daefr_arch.errors import WeightsError

_KEPT = ('epoch', 'iter', 'position', 'perceptual_backbone')


@dataclass(frozen=True)
class Resumption:
    """What training set and model have to know of a state at first, and what the log is to say of those passed over.

    It stands in the options, which BasicSR prints.
    """

    state: dict[str, Any]  # epoch, iter and, of our models, position and perceptual_backbone
    passed_over: tuple[str, ...] = ()


def is_resuming(opt: dict[str, Any]) -> bool:
    """Whether there is a training state to go on from, whole or not."""
    return bool(training_states(opt['path']['training_states']) if opt['auto_resume'] else _named(opt))


def _named(opt: dict[str, Any]) -> str | None:
    return opt['path'].get('resume_state')


def load_resume_state(opt: dict[str, Any], *, is_ours: bool) -> dict[str, Any] | None:
    """The state to go on from: with --auto_resume the newest whole one of the experiment, else path.resume_state.

    In place of BasicSR's, which needs a GPU, unpickles anything, and looks below the working directory only. It is in
    opt['path']['resume_state'] and opt['resumption'] then.

    Args:
        opt: the options of the run.
        is_ours: whether the state was written by one of our models, else by BasicSR.

    Raises:
        WeightsError: the state that path.resume_state names, or all of the experiment, are damaged or lack a network.
    """
    folder = opt['path']['training_states']
    if not is_resuming(opt):
        return None
    if opt['rank'] == 0:
        remove_temporaries(folder, opt['path']['models'])
    paths = training_states(folder) if opt['auto_resume'] else [Path(_named(opt) or '')]
    path, state, passed_over = _first_whole(opt, paths, STATE_KEYS if is_ours else BASICSR_STATE_KEYS)
    opt['path']['resume_state'] = os.fspath(path)
    if not is_ours:
        check_resume(opt, state['iter'])  # lets the model load its networks, which ours do by themselves
    opt['resumption'] = Resumption({key: state[key] for key in _KEPT if key in state}, tuple(passed_over))
    return state


def _first_whole(
    opt: dict[str, Any], paths: list[Path], keys: Collection[str]
) -> tuple[Path, dict[str, Any], list[str]]:
    """The first state that is whole, with its networks, its path, and what is wrong with those before it."""
    ignored = opt['path'].get('ignore_resume_networks') or ()
    problems: list[str] = []
    for path in paths:
        try:
            state = load_training_state(path, keys)
            check_saved_networks(opt['path']['models'], state['iter'], state.get('networks'), ignored=ignored)
        except WeightsError as error:
            problems.append(str(error))
            continue
        return path, state, problems
    if opt['auto_resume']:
        advice = f'remove {Path(opt["path"]["training_states"]).parent} to begin again'
    else:
        advice = '--auto_resume goes on from the newest state that is whole'
    raise WeightsError(f'no training state to go on from: {"; ".join(problems)}; {advice}')
