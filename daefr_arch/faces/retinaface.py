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

from daefr_arch import checkpoints
from daefr_arch.errors import InputError
from daefr_arch.faces.detector import DetectedFace
from daefr_arch.faces.orientation import find_faces
from daefr_arch.runtime.precision import precision_context

MEAN_BGR = (104.0, 117.0, 123.0)
ENLARGE_BELOW_PIXELS = 1_500_000  # photos below it also get a pass at twice their size
MAX_PASS_PIXELS = 16_000_000  # bounds the memory of a pass; in larger photos the smallest faces are missed
COARSEST_SIDE = 480  # the last pass sees a photo whose longer side is at most this
SCALE_STEP = 4
# a pass keeps faces up to this size in its own pixels if a coarser pass follows, which sees larger ones whole
LARGEST_FACE_OF_PASS = 320
IOU_THRESHOLD = 0.4
CROPS_OF_PASS = 64  # bounds the memory of second opinions
TEMPLATE_DISTANCE = 0.1  # how far, as part of the crop's side, a face may lie from the template to be the same


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
        checkpoints.fill(self.network, state_dict, f'detector {network}')
        _fold_norms(self.network)
        # NCHW on a GPU: grouped convolutions can be many times slower there in channels_last (pytorch issue 34977)
        self.layout = torch.channels_last if self.device.type == 'cpu' else torch.contiguous_format
        self.network.to(memory_format=self.layout)

    def detect(self, img: np.ndarray) -> list[DetectedFace]:
        """The faces of a photo (H, W, 3) BGR uint8, whichever way up it is, the surest first."""
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise InputError(f'detector: expected a BGR uint8 photo (H, W, 3), got {img.dtype} {img.shape}')
        return [face for face in find_faces(self, img) if face.size >= self.min_face_size]

    def find(self, img: np.ndarray, *, halved: bool = False) -> list[DetectedFace]:
        """All that looks like a face as the photo stands, the surest first. halved: searched at half the size."""
        scales = [scale / 2 for scale in pyramid(*img.shape[:2])] if halved else pyramid(*img.shape[:2])
        found = [self._detect_at(img, scale, is_coarsest=scale == scales[-1]) for scale in scales]
        rows = np.concatenate(found)
        rows = rows[nms(torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4]), IOU_THRESHOLD).numpy()]
        return [DetectedFace(tuple(row[:4].tolist()), float(row[4]), row[5:].reshape(5, 2)) for row in rows]

    @torch.inference_mode()
    def score_templates(self, crops: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """How sure the network is (N,) of a face at the templates (N, 5, 2) of crops (N, S, S, 3) BGR uint8."""
        size = crops.shape[1]
        anchors, variance = prior_boxes(size, size).to(self.device), self.network.cfg['variance']
        scores = []
        for start in range(0, len(crops), CROPS_OF_PASS):
            _, confidence, offsets = self._outputs(crops[start : start + CROPS_OF_PASS])
            for index, template in enumerate(templates[start : start + CROPS_OF_PASS]):
                points = decode_landm(offsets[index], anchors, variance).view(-1, 5, 2) * size
                expected = torch.tensor(template, dtype=points.dtype, device=self.device)
                distance = ((points - expected) ** 2).sum(dim=2).mean(dim=1).sqrt()
                scores.append((confidence[index, :, 1] * (distance < TEMPLATE_DISTANCE * size)).max())
        return torch.stack(scores).double().cpu().numpy()

    def _outputs(self, imgs: np.ndarray) -> tuple[torch.Tensor, ...]:
        """The network's outputs, float32, for pictures (N, H, W, 3) BGR uint8: offsets, scores and landmarks."""
        pixels = torch.tensor(imgs, device=self.device).float()
        pixels -= torch.tensor(MEAN_BGR, dtype=torch.float32, device=self.device)
        with precision_context('fp32', self.device):
            return self.network(pixels.permute(0, 3, 1, 2).contiguous(memory_format=self.layout))

    @torch.inference_mode()
    def _detect_at(self, img: np.ndarray, scale: float, *, is_coarsest: bool) -> np.ndarray:
        """Rows (N, 15) of box, score and landmarks in the photo's pixels, found in the photo resized by `scale`."""
        height, width = (max(1, round(side * scale)) for side in img.shape[:2])
        if (height, width) != img.shape[:2]:
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            img_pass = cv2.resize(img, (width, height), interpolation=interpolation)
        else:
            img_pass = img
        offsets, scores, landmarks = (output[0] for output in self._outputs(img_pass[None]))
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
