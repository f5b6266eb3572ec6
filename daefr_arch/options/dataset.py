"""Sections of `datasets`: what BasicSR's loader reads of each."""

from typing import Annotated, Any, Literal

from basicsr.utils.registry import DATASET_REGISTRY
from pydantic import NonNegativeInt, PositiveInt

from daefr_arch.options.registered import Registered, Typed
from daefr_arch.options.section import Section


class IOBackend(Section):
    """Where images come from."""

    type: Literal['disk', 'lmdb'] = 'disk'
    """a folder, or an LMDB of `daefr make-lmdb`"""


class DatasetOptions(Typed):
    """Keys that BasicSR reads of every dataset."""

    name: str
    """of the set, in logs and folders"""
    phase: Literal['train', 'val', 'test'] | None = None
    """set by BasicSR"""
    scale: PositiveInt | None = None
    """set by BasicSR"""
    batch_size_per_gpu: PositiveInt = 1
    """images of a process in a step of training"""
    num_worker_per_gpu: NonNegativeInt = 0
    """processes that read and degrade images, for each process of training"""
    dataset_enlarge_ratio: PositiveInt = 1
    """how often an epoch has each image"""
    use_shuffle: Literal[True] = True
    """BasicSR's; the order is always shuffled in training"""
    prefetch_mode: Literal['cpu', 'cuda'] | None = None
    """prepare batches ahead: cpu by a thread, cuda by copies to the GPU, with pin_memory"""
    num_prefetch_queue: PositiveInt = 1
    """batches ahead with prefetch_mode cpu"""
    pin_memory: bool = False
    """page-locked batches, which are copied to a GPU faster"""
    persistent_workers: bool = False
    """keep the processes from epoch to epoch"""


class SeededDatasetOptions(DatasetOptions):
    """Of a dataset whose samples are drawn."""

    seed: NonNegativeInt | None = None
    """of order and random draws; ~: manual_seed in training, else 0: all runs are validated on the same images"""


DATASET = Registered('dataset', DATASET_REGISTRY, base=DatasetOptions, takes_opt=True)
Dataset = Annotated[dict[str, Any], DATASET]
