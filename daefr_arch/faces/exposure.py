"""PLACEHOLDER until the branch with exposure is merged."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Same:
    def restore(self, face):
        return face


def normalise_exposure(crop):
    return crop, Same()
