"""Photos, what a restoration network makes of them, and the truth: the harmonising network's data, written once."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from daefr_arch.data.degradation import degraded_image, draw_params
from daefr_arch.data.draw_sampler import Draw
from daefr_arch.faces.exposure import restore_at_normal_exposure
from daefr_arch.io.atomic_file import make_folder
from daefr_arch.io.image_file import write_image
from daefr_arch.io.tensors import to_images
from daefr_arch.runtime.face_network import FaceNetwork


def write_strips(
    dataset: Any, network: FaceNetwork, output: str | Path, *, count: int, degraded_again: float = 0.5
) -> int:
    """Writes PNG files of photo, network's face and truth side by side, (S, 3 S, 3); returns how many are new.

    A network knows the faces that it was trained on: what it makes of strangers is much further off. So it is shown a
    part of the photos degraded once more, which is about as far off.

    Args:
        dataset: a DAEFREvidenceDataset, S the network's size.
        network: the restoration network.
        output: the folder, NUMBER.png; a number that is there is not written again.
        count: strips in all. The n-th is the n-th of a shuffled order, in which every face comes once an epoch.
        degraded_again: how often, in [0, 1], the network sees the photo after Eq. 8 with the dataset's ranges.
    """
    folder = Path(output)
    make_folder(folder)
    written = 0
    for number in range(count):
        path = folder / f'{number:06d}.png'
        if path.exists():
            continue
        epoch, position = divmod(number, len(dataset))
        order = np.random.default_rng([dataset.seed, epoch]).permutation(len(dataset))
        sample = dataset[Draw(int(order[position]), epoch, position)]
        photo, truth = to_images(torch.stack((sample['lq'], sample['gt'])))
        rng = np.random.default_rng([dataset.seed, epoch, position, 1])
        shown = photo
        if rng.random() < degraded_again:
            shown = degraded_image(photo, draw_params(dataset.options, rng))
        (face,) = restore_at_normal_exposure(network, [shown])
        if face is None:  # not finite: the next epoch has another photo of it
            continue
        write_image(path, np.hstack((photo, face, truth)))
        written += 1
    return written
