"""Errors that a user can act on. The command prints their message without a traceback."""


class DAEFRError(Exception):
    """Base of the errors below."""


class InputError(DAEFRError, ValueError):
    """An image, folder, option or argument is not what was expected; the message says what was, and what came."""


class WeightsError(DAEFRError, RuntimeError):
    """A weight file is missing, damaged, of another kind, or does not fit the network."""


class OutputError(DAEFRError, OSError):
    """A result cannot be written: the disk is full, the folder is read-only or not there. Nothing half is left."""


class StorageError(OutputError):
    """The file system takes nothing more: it is full, over the user's quota, or read-only. Going on has no sense."""


class UsageError(DAEFRError, ValueError):
    """The arguments of the command contradict each other or the files that they name: nothing was started."""


class TrainingError(DAEFRError, RuntimeError):
    """Training cannot go on, as after a loss that is not finite. What was saved before is untouched."""
