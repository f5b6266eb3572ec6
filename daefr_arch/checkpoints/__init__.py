"""Weights: reading, verifying, converting, downloading. This module is the room's only door.

Nothing here runs code of a file: everything is read with `weights_only=True`.
"""

from daefr_arch.checkpoints.checkpoint import (
    DEFAULT_MODEL,
    Checkpoint,
    load_network,
    load_part,
    read_checkpoint,
    read_ignoring_objects,
    save_network,
)
from daefr_arch.checkpoints.checksums import check_checksums
from daefr_arch.checkpoints.downloads import WeightFile, cache_folder, download, fetch, find, manifest
from daefr_arch.checkpoints.lpips_network import LPIPS_BACKBONES, load_lpips
from daefr_arch.checkpoints.official_layout import (
    StateDict,
    check_state_dict,
    convert_official,
    create_network,
    infer_options,
    is_official,
    key_differences,
)
from daefr_arch.checkpoints.stage_checkpoint import load_lq_codebook, load_stage_network
from daefr_arch.checkpoints.training_files import (
    BASICSR_STATE_KEYS,
    STATE_KEYS,
    check_saved_networks,
    load_training_state,
    network_file,
    newest_state,
    remove_temporaries,
    save_durably,
    training_states,
)
from daefr_arch.checkpoints.weight_files import EXTRA, MissingWeightsError, load_into, locate

__all__ = [
    'BASICSR_STATE_KEYS',
    'DEFAULT_MODEL',
    'EXTRA',
    'LPIPS_BACKBONES',
    'STATE_KEYS',
    'Checkpoint',
    'MissingWeightsError',
    'StateDict',
    'WeightFile',
    'cache_folder',
    'check_checksums',
    'check_saved_networks',
    'check_state_dict',
    'convert_official',
    'create_network',
    'download',
    'fetch',
    'find',
    'infer_options',
    'is_official',
    'key_differences',
    'load_into',
    'load_lpips',
    'load_lq_codebook',
    'load_network',
    'load_part',
    'load_stage_network',
    'load_training_state',
    'locate',
    'manifest',
    'network_file',
    'newest_state',
    'read_checkpoint',
    'read_ignoring_objects',
    'remove_temporaries',
    'save_durably',
    'save_network',
    'training_states',
]
