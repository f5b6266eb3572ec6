"""Photos, what a restoration network makes of them, and the truth: the harmonising network's data, written once."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from daefr_arch.data.draw_sampler import Draw
from daefr_arch.faces.exposure import normalise_exposure
from daefr_arch.io.atomic_file import atomic_path, make_folder
from daefr_arch.runtime.face_network import FaceNetwork


def write_strips(dataset: Any, network: FaceNetwork, output: str | Path, *, count: int) -> int:
    """Writes PNG files of photo, network's face and truth side by side, (S, 3 S, 3); returns how many are new.

    Args:
        dataset: yields `lq` and `gt` (3, S, S), RGB in [-1, 1], S the network's size, and draws by `Draw`.
        network: the restoration network.
        output: the folder, NUMBER.png; a number that is there is not written again.
        count: strips in all. The n-th is the n-th of a shuffled order, in which every face comes once an epoch.
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
        photo, truth = _pixels(sample['lq']), _pixels(sample['gt'])
        seen, exposure = normalise_exposure(photo)
        face = network.restore([seen])[0]
        if face is None:  # not finite: the next epoch has another photo of it
            continue
        _, data = cv2.imencode('.png', np.concatenate((photo, exposure.restore(face), truth), axis=1))
        with atomic_path(path) as temporary:
            temporary.write_bytes(data.tobytes())
        written += 1
    return written


def _pixels(image: torch.Tensor) -> np.ndarray:
    """(3, S, S) RGB in [-1, 1] -> (S, S, 3) BGR uint8."""
    bgr = image.numpy().transpose(1, 2, 0)[..., ::-1]
    return np.rint((bgr + 1) * 127.5).clip(0, 255).astype(np.uint8)
