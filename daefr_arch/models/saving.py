"""What a run writes to be gone on from: its networks, with what they are and come from, and its training state."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from daefr_arch.checkpoints import Provenance, as_plain, fill, network_file, read_networks, save_durably
from daefr_arch.errors import WeightsError
from daefr_arch.models.distributed import world_size
from daefr_arch.models.random_states import set_random_states

if TYPE_CHECKING:
    from daefr_arch.models.base import DAEFRBaseModel

_logger = logging.getLogger('basicsr')  # the log of the training run


def save_networks(model: DAEFRBaseModel, name: int | str) -> None:
    """Writes net_<label>_<name>.pth of each trained network: its weights, their moving average, options, provenance."""
    for label, net in model.nets.items():
        weights: dict[str, Any] = {'params': model.get_bare_model(net).state_dict()}
        if label in model.emas:
            weights['params_ema'] = model.emas[label].state_dict()
        weights['network'] = as_plain(model.opt.get(f'network_{label}'))
        weights['provenance'] = _provenance(model, label).as_dict()
        save_durably(weights, network_file(model.opt['path']['models'], label, name))


def _provenance(model: DAEFRBaseModel, label: str) -> Provenance:
    return Provenance(
        stage=model.stage or type(model).__name__,
        domain=model.domain_of(label),
        iteration=model.iteration,
        started_from=model.started_from,
        perceptual_backbone=model.perceptual_backbone,
    )


def load_networks(model: DAEFRBaseModel, iteration: int) -> None:
    """Fills the trained networks from what `save_networks` wrote at an iteration.

    Raises:
        WeightsError: a file is missing, and path.ignore_resume_networks does not name its network.
    """
    for label, net in model.nets.items():
        if f'network_{label}' in (model.options.path.ignore_resume_networks or ()):
            _logger.info('network_%s starts again: path.ignore_resume_networks names it', label)
            continue
        path = network_file(model.opt['path']['models'], label, iteration)
        if not path.is_file():
            raise WeightsError(f'{path} is missing: {model.opt["path"]["resume_state"]} needs it')
        weights = read_networks(path)
        fill(model.get_bare_model(net), weights['params'], path)
        if label in model.emas:
            fill(model.emas[label], weights.get('params_ema', weights['params']), path)


def save_training_state(model: DAEFRBaseModel, epoch: int, iteration: int, random_states: list[Any]) -> None:
    """Writes <iteration>.state, which makes the networks of that iteration a complete set.

    random_states: of each process, see `get_random_states`.
    """
    state = {
        'epoch': epoch,
        'iter': iteration,
        'optimizers': [optimizer.state_dict() for optimizer in model.optimizers],
        'schedulers': [scheduler.state_dict() for scheduler in model.schedulers],
        'scaler': model.scaler.state_dict(),
        'random_states': random_states,
        'best': model.best.state_dict(),
        'networks': list(model.nets),
        'manual_seed': model.opt.get('manual_seed'),
        'perceptual_backbone': model.perceptual_backbone,
        'started_from': model.started_from,
    }
    if 'epochs' in model.opt:  # of BasicSR's pipeline
        state['position'] = model.opt['epochs'].position(epoch, iteration)
    save_durably(state, f'{model.opt["path"]["training_states"]}/{iteration}.state')


def restore_training_state(model: DAEFRBaseModel, state: dict[str, Any]) -> None:
    """Takes from a training state what BasicSR's `resume_training` leaves: all but optimisers and schedulers."""
    model.iteration = state['iter']
    model.started_from |= state.get('started_from', {})
    model.scaler.load_state_dict(state['scaler'])
    model.best.load_state_dict(state['best'])
    states = state['random_states']
    if len(states) == world_size():
        set_random_states(states[model.opt['rank']])
    else:
        _logger.warning('%d processes saved this state, %d resume: random draws differ', len(states), world_size())
