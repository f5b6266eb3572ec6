"""Masks of an aligned face that follow its outline."""

from pathlib import Path

import cv2
import numpy as np
import torch
from facexlib.parsing.parsenet import ParseNet

from daefr_arch import checkpoints
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.io.tensors import to_tensor
from daefr_arch.runtime.precision import precision_context

PARSE_SIZE = 512
# ParseNet's classes that belong to the face, by facexlib: all but background, hat, necklace, neck and cloth
FACE_CLASSES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)


class FaceParser:
    """Masks that follow the face's outline, by facexlib's ParseNet. Weights: `parsenet` of the manifest, or a file."""

    def __init__(
        self, *, device: str | torch.device = 'cpu', offline: bool = False, weights: str | Path | None = None
    ) -> None:
        self.device = torch.device(device)
        self.network = ParseNet(in_size=PARSE_SIZE, out_size=PARSE_SIZE, parsing_ch=19)
        path = weights or checkpoints.fetch('parsenet', offline=offline)
        checkpoints.load_into(self.network, Path(path))
        self.network.to(self.device).eval()

    @torch.inference_mode()
    def mask(self, face: np.ndarray) -> np.ndarray:
        """Mask (R, R) float32 in [0, 1] of a restored face (R, R, 3) BGR uint8; 0 along the border."""
        size = face.shape[0]
        pixels = to_tensor(cv2.resize(face, (PARSE_SIZE, PARSE_SIZE)), self.device)
        with precision_context('fp32', self.device):
            classes = self.network(pixels)[0].argmax(dim=1)[0].cpu().numpy()
        mask: np.ndarray = np.isin(classes, FACE_CLASSES).astype(np.float32)
        for _ in range(2):  # facexlib's softness
            mask = cv2.GaussianBlur(mask, (101, 101), 11)
        return cv2.resize(mask, (size, size)) * np.minimum(feather_mask(size) * 4, 1)
