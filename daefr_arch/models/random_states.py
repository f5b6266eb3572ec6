"""The random states of a process, as primitives and tensors, so that a training state loads with weights_only=True."""

import random
from typing import Any

import numpy as np
import torch


def get_random_states() -> dict[str, Any]:
    """States of python, numpy, torch and, where there is one, the current CUDA device."""
    state: Any = np.random.get_state()  # noqa: NPY002  BasicSR draws from it
    states = {'python': random.getstate(), 'numpy': [state[1].tolist(), *state[2:]], 'torch': torch.get_rng_state()}
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Restores what `get_random_states` returned; the CUDA state only where there is a CUDA device."""
    random.setstate(states['python'])
    keys, *rest = states['numpy']
    np.random.set_state(('MT19937', np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states['torch'].cpu())
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'].cpu())
