"""The table of evidence: photos of five qualities, the bare network's faces and the default result side by side.

python -m tests.benchmarks.evidence_table FACES [FACES ...] --embedder MobileFaceNet.onnx [--model daefr-lite]

FACES: a folder of sharp aligned faces that no training saw, or a text file that lists some. For each degradation: the
cosine of the face embeddings of result and true face, PSNR, sharpness (variance of the Laplacian of luma over the true
face's, the mean of the faces' ratios), and NIQE.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from daefr_arch.checkpoints import load_network
from daefr_arch.data.degradation import DegradationRanges, degraded_image, draw_params
from daefr_arch.errors import InputError
from daefr_arch.io.image_file import read_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.resize import resize_square
from daefr_arch.metrics.face_embedding import FaceEmbedder, build_embedder
from daefr_arch.metrics.niqe_metric import daefr_niqe
from daefr_arch.metrics.psnr_metric import daefr_psnr
from daefr_arch.restoration.face_restorer import FaceRestorer, load_fusion
from daefr_arch.runtime.face_network import FaceNetwork

SIZE = 256
KERNELS = (19, 21)


def _ranges(sigma: tuple, factor: tuple, noise: tuple, quality: tuple) -> DegradationRanges:
    return DegradationRanges(
        blur_kernel_size=KERNELS, blur_sigma=sigma, downsample_range=factor, noise_range=noise, jpeg_range=quality
    )


DEGRADATIONS: dict[str, DegradationRanges | None] = {
    'heavy': _ranges((0.1, 7.5), (0.4, 15), (0, 20), (30, 100)),  # Eq. 8 in full, halved where it is pixels
    'medium': _ranges((1, 4), (3, 8), (0, 12), (40, 90)),
    'mild': _ranges((0.1, 3), (1, 4), (0, 10), (60, 100)),
    'almost clean': _ranges((0.1, 0.8), (0.8, 1.5), (0, 3), (85, 100)),
    'clean': None,
}
HEADER = '| degradation | result | identity | PSNR | sharpness | NIQE |\n|---|---|---|---|---|---|'
Restore = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def read_faces(source: str | Path) -> list[np.ndarray]:
    """The faces (SIZE, SIZE, 3) BGR uint8 of a folder, or of a text file with a path, relative to it, a line."""
    source = Path(source)
    paths = list_images(source) if source.is_dir() else [source.parent / line for line in source.read_text().split()]
    if not paths:
        raise InputError(f'{source}: no faces')
    return [resize_square(as_uint8(read_image(path).pixels), SIZE) for path in paths]


def degraded(face: np.ndarray, name: str, index: int) -> np.ndarray:
    """The photo of the `index`-th face; the same whenever it is asked for."""
    ranges = DEGRADATIONS[name]
    if ranges is None:
        return face
    rng = np.random.default_rng([list(DEGRADATIONS).index(name), index])
    return degraded_image(face, draw_params(ranges, rng))


def sharpness(face: np.ndarray) -> float:
    """Variance of the Laplacian of luma, BGR uint8."""
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def measure(faces: Sequence[np.ndarray], truths: Sequence[np.ndarray], embedder: FaceEmbedder) -> list[float]:
    """Means of identity, PSNR, sharpness and NIQE over the faces."""
    rows = [
        (
            float(embedder.embed(face) @ embedder.embed(truth)),
            daefr_psnr(face, truth),
            sharpness(face) / sharpness(truth),
            daefr_niqe(face),
        )
        for face, truth in zip(faces, truths, strict=True)
    ]
    return np.mean(rows, axis=0).tolist()


def table(truths: Sequence[np.ndarray], methods: dict[str, Restore], embedder: FaceEmbedder) -> list[str]:
    """The rows: for each degradation one of each method."""
    lines = [HEADER]
    for name in DEGRADATIONS:
        photos = [degraded(face, name, index) for index, face in enumerate(truths)]
        for method, restore in methods.items():
            identity, psnr, sharp, niqe = measure(restore(photos), truths, embedder)
            lines.append(f'| {name} | {method} | {identity:.3f} | {psnr:.2f} | {sharp:.2f} | {niqe:.2f} |')
            print(lines[-1], flush=True)
    return lines


def default_methods(model: str) -> dict[str, Restore]:
    """The photo itself, the network's faces, and these fused with the photo by evidence."""
    network = FaceNetwork(load_network(model, offline=True))
    restorer = FaceRestorer(network, load_fusion(offline=True))

    def bare(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [face for face in network.restore(photos) if face is not None]

    def fused(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [result.face for result, _ in restorer.restore(photos) if result is not None]

    return {'photo': list, 'network': bare, 'default': fused}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog='python -m tests.benchmarks.evidence_table', description=__doc__)
    parser.add_argument('faces', nargs='+')
    parser.add_argument('--embedder', required=True, help='arcface, dlib, or the path of an ONNX file')
    parser.add_argument('--model', default='daefr-lite')
    args = parser.parse_args()
    for source in args.faces:
        print(f'\n{Path(source).name}\n\n{HEADER}')
        table(read_faces(source), default_methods(args.model), build_embedder(args.embedder))


if __name__ == '__main__':
    main()
