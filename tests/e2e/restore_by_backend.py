"""Restores a folder of photos at several fidelities with one backend: `python -m tests.e2e.restore_by_backend ...`.

It imports nothing that PyTorch is needed for. With --blocked nothing of the extra `torch` can be imported, as where it
is not installed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

FIDELITIES = (None, 0, 0.5, 1)
# what the extra `torch` has beside what the light environment has, and what it brings
BLOCKED = (
    *('torch', 'torchvision', 'basicsr', 'facexlib', 'lmdb', 'matplotlib', 'pydantic', 'requests', 'safetensors'),
    *('skimage', 'scipy', 'tensorboard', 'triton', 'onnx', 'urllib3'),
)


def restore_folder(folder: Path, backend: str) -> dict[str, np.ndarray]:
    """Photo and fidelity, as 'blurred 0.5' -> the whole restored photo; 'blurred verdicts' -> what became of its faces.

    The network sees every face once.
    """
    from daefr_arch import DAEFRRestorer
    from daefr_arch.io.image_file import read_image

    restorer = DAEFRRestorer(upscale=1, device='cpu', backend=backend, precision='fp32', detector='auto', offline=True)
    results = {}
    for path in sorted(folder.glob('*.png')):
        work = restorer.find_faces(read_image(path).pixels)
        evidence = restorer.faces.fusion.assess(work.crops)
        faces = restorer.faces.network_faces(work.crops)
        results[f'{path.stem} verdicts'] = np.array([shown.verdict for shown in evidence])
        for fidelity in FIDELITIES:
            work.restored = restorer.faces.fuse(work.crops, evidence, faces, fidelity=fidelity)
            results[f'{path.stem} {fidelity}'] = restorer.finish(work)[2]
    return results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('folder', type=Path)
    parser.add_argument('output', type=Path)
    parser.add_argument('--blocked', action='store_true')
    args = parser.parse_args()
    if args.blocked:
        sys.modules.update(dict.fromkeys(BLOCKED))  # None: an import of it fails
    results = restore_folder(args.folder, 'onnx')
    assert not sys.modules.get('torch')
    np.savez(args.output, **results)


if __name__ == '__main__':
    main()
