"""Weight files by name: where they are, and how they come. This module is the room's only door; it needs no PyTorch."""

from daefr_arch.downloads.kind_of_page import kind_of_page
from daefr_arch.downloads.weight_file import WeightFile, cache_folder, fetch, find, manifest, weights_folder

__all__ = ['WeightFile', 'cache_folder', 'fetch', 'find', 'kind_of_page', 'manifest', 'weights_folder']
