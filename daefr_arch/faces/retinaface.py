"""RetinaFace over several scales of a photo, with facexlib's networks.

One pass of RetinaFace finds faces of about 16 to 500 pixels. Photos hold smaller and larger ones: small photos are
also enlarged, large photos shrunk in steps of four, and what the passes found is merged.
"""

from functools import lru_cache

import cv2
import numpy as np
import torch
from facexlib.detection.retinaface import RetinaFace
from facexlib.detection.retinaface_utils import decode, decode_landm
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import nms

from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.runtime.precision import precision_context

MEAN_BGR = (104.0, 117.0, 123.0)
ENLARGE_BELOW_PIXELS = 1_500_000  # photos below it also get a pass at twice their size
MAX_PASS_PIXELS = 16_000_000  # bounds the memory of a pass; in larger photos the smallest faces are missed
COARSEST_SIDE = 480  # the last pass sees a photo whose longer side is at most this
SCALE_STEP = 4
# a pass keeps faces up to this size in its own pixels if a coarser pass follows, which sees larger ones whole
LARGEST_FACE_OF_PASS = 320
IOU_THRESHOLD = 0.4
# of two boxes, a smaller one this much inside a surer one is a part of the same face
INSIDE_THRESHOLD = 0.6


class RetinaFaceDetector:
    """FaceDetector on facexlib's RetinaFace `network` ('resnet50' or 'mobile0.25') with the weights `state_dict`."""

    def __init__(
        self,
        network: str,
        state_dict: dict[str, torch.Tensor],
        *,
        device: str | torch.device,
        score_threshold: float,
        min_face_size: float,
    ) -> None:
        self.device = torch.device(device)
        self.score_threshold = score_threshold
        self.min_face_size = min_face_size
        self.network = RetinaFace(network_name=network, device=self.device).float()  # whatever the default type is
        state = {key.removeprefix('module.'): value for key, value in state_dict.items()}
        try:
            self.network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise WeightsError(f'these are not weights of RetinaFace {network}: {str(error)[:300]}') from error
        _fold_norms(self.network)
        # NCHW on a GPU: grouped convolutions can be many times slower there in channels_last (pytorch issue 34977)
        self.layout = torch.channels_last if self.device.type == 'cpu' else torch.contiguous_format
        self.network.to(memory_format=self.layout)

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """The faces of a photo (H, W, 3) BGR uint8, the surest first."""
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise InputError(f'detector: expected a BGR uint8 photo (H, W, 3), got {img.dtype} {img.shape}')
        scales = pyramid(*img.shape[:2])
        found = [self._detect_at(img, scale, is_coarsest=scale == scales[-1]) for scale in scales]
        rows = merge(np.concatenate(found))
        faces = [DetectedFace(tuple(row[:4].tolist()), float(row[4]), row[5:].reshape(5, 2)) for row in rows]
        return [face for face in faces if face.size >= self.min_face_size]

    @torch.inference_mode()
    def _detect_at(self, img: np.ndarray, scale: float, *, is_coarsest: bool) -> np.ndarray:
        """Rows (N, 15) of box, score and landmarks in the photo's pixels, found in the photo resized by `scale`."""
        height, width = (max(1, round(side * scale)) for side in img.shape[:2])
        if (height, width) != img.shape[:2]:
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            img_pass = cv2.resize(img, (width, height), interpolation=interpolation)
        else:
            img_pass = img
        pixels = torch.tensor(img_pass, device=self.device).float()
        pixels -= torch.tensor(MEAN_BGR, dtype=torch.float32, device=self.device)
        x = pixels.permute(2, 0, 1)[None].contiguous(memory_format=self.layout)
        with precision_context('fp32', self.device):
            offsets, scores, landmarks = (output[0] for output in self.network(x))
        scores = scores[:, 1]
        keep = scores > self.score_threshold
        anchors = prior_boxes(height, width).to(self.device)[keep]
        variance = self.network.cfg['variance']
        # decoded coordinates are fractions of the pass, whatever its size: scaled to the photo's own pixels
        size = torch.tensor(img.shape[1::-1], device=self.device)
        boxes = decode(offsets[keep], anchors, variance) * size.repeat(2)
        points = decode_landm(landmarks[keep], anchors, variance) * size.repeat(5)
        rows = torch.cat((boxes, scores[keep, None], points), dim=1).double().cpu().numpy()
        if is_coarsest:
            return rows
        return rows[(rows[:, 2:4] - rows[:, :2]).max(axis=1) <= LARGEST_FACE_OF_PASS / scale]


def _fold_norms(module: nn.Module) -> None:
    """Folds each batch norm into the convolution before it: fewer maps, less time."""
    previous_name, previous = '', None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            setattr(module, previous_name, fuse_conv_bn_eval(previous, child))
            setattr(module, name, nn.Identity())
        _fold_norms(child)
        previous_name, previous = name, child


def pyramid(height: int, width: int) -> list[float]:
    """The scales at which a photo is searched, from the finest to the coarsest."""
    pixels = height * width
    finest = 2.0 if pixels < ENLARGE_BELOW_PIXELS else min(1.0, (MAX_PASS_PIXELS / pixels) ** 0.5)
    scales = [finest]
    while max(height, width) * scales[-1] > COARSEST_SIDE:
        scales.append(scales[-1] / SCALE_STEP)
    return scales


@lru_cache(maxsize=8)
def prior_boxes(height: int, width: int) -> torch.Tensor:
    """RetinaFace's anchors (N, 4) for an input of this size: centre x, y, width, height as fractions of it.

    The same numbers as facexlib's PriorBox, whose Python loop takes seconds for a photo of some megapixels.
    """
    levels = []
    for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        y, x, side = torch.meshgrid(
            (torch.arange(-(-height // stride), dtype=torch.float32) + 0.5) * stride,
            (torch.arange(-(-width // stride), dtype=torch.float32) + 0.5) * stride,
            torch.tensor(sizes, dtype=torch.float32),
            indexing='ij',
        )
        levels.append(torch.stack((x / width, y / height, side / width, side / height), dim=-1).view(-1, 4))
    return torch.cat(levels)


def merge(rows: np.ndarray) -> np.ndarray:
    """Rows (N, 15) of several passes with each face once, the surest first."""
    kept = nms(torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4]), IOU_THRESHOLD).numpy()
    rows = rows[kept]
    result: list[np.ndarray] = []
    for row in rows:
        if not any(_inside(row, other) > INSIDE_THRESHOLD for other in result):
            result.append(row)
    return np.array(result).reshape(-1, rows.shape[1])


def _inside(row: np.ndarray, other: np.ndarray) -> float:
    """The part of the smaller box that lies in the other."""
    start, end = np.maximum(row[:2], other[:2]), np.minimum(row[2:4], other[2:4])
    shared = float(np.prod(np.clip(end - start, 0, None)))
    areas = [float(np.prod(box[2:4] - box[:2])) for box in (row, other)]
    return shared / max(min(areas), 1e-6)
