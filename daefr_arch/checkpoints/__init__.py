"""Weights: reading, verifying, converting, downloading. This module is the room's only door.

Nothing here runs code of a file: everything is read with `weights_only=True`.
"""

from daefr_arch.checkpoints.array_file import read_arrays
from daefr_arch.checkpoints.checkpoint import (
    DEFAULT_MODEL,
    Checkpoint,
    load_network,
    load_part,
    located,
    naming,
    read_checkpoint,
    read_ignoring_objects,
    read_networks,
    read_provenance,
    save_network,
)
from daefr_arch.checkpoints.checksums import check_checksums
from daefr_arch.checkpoints.foreign_files import foreign_file, printable
from daefr_arch.checkpoints.lpips_network import LPIPS_BACKBONES, load_lpips
from daefr_arch.checkpoints.network_size import no_larger_than
from daefr_arch.checkpoints.official_layout import (
    check_state_dict,
    convert_official,
    create_network,
    infer_options,
    is_official,
    key_differences,
)
from daefr_arch.checkpoints.provenance import (
    Domain,
    Provenance,
    check_domain,
    official_provenance,
    warn_of_unknown_origin,
    weights_hash,
)
from daefr_arch.checkpoints.stage_checkpoint import load_lq_codebook, load_stage_network, lq_origin
from daefr_arch.checkpoints.state_dict import StateDict
from daefr_arch.checkpoints.training_files import (
    BASICSR_STATE_KEYS,
    STATE_KEYS,
    as_plain,
    check_saved_networks,
    load_training_state,
    network_file,
    newest_state,
    remove_temporaries,
    save_durably,
    training_states,
)
from daefr_arch.checkpoints.weight_files import EXTRA, MissingWeightsError, fill, load_into, locate
from daefr_arch.downloads import WeightFile, cache_folder, fetch, find, manifest
from daefr_arch.downloads.transfer import download

__all__ = [
    'BASICSR_STATE_KEYS',
    'DEFAULT_MODEL',
    'EXTRA',
    'LPIPS_BACKBONES',
    'STATE_KEYS',
    'Checkpoint',
    'Domain',
    'MissingWeightsError',
    'Provenance',
    'StateDict',
    'WeightFile',
    'as_plain',
    'cache_folder',
    'check_checksums',
    'check_domain',
    'check_saved_networks',
    'check_state_dict',
    'convert_official',
    'create_network',
    'download',
    'fetch',
    'fill',
    'find',
    'foreign_file',
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
    'located',
    'lq_origin',
    'manifest',
    'naming',
    'network_file',
    'newest_state',
    'no_larger_than',
    'official_provenance',
    'printable',
    'read_arrays',
    'read_checkpoint',
    'read_ignoring_objects',
    'read_networks',
    'read_provenance',
    'remove_temporaries',
    'save_durably',
    'save_network',
    'training_states',
    'warn_of_unknown_origin',
    'weights_hash',
]
