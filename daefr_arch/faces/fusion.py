"""Photo's face and network's face become one: what the photo shows is kept, what it lacks is put in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from daefr_arch.archs import bands
from daefr_arch.errors import InputError
from daefr_arch.faces.band_fusion import corrected, mix, tone_like, with_texture
from daefr_arch.faces.evidence import weights
from daefr_arch.io.resize import resize_square
from daefr_arch.io.tensors import to_tensor
from daefr_arch.runtime.precision import precision_context

KEPT, REPAIRED, GUESSED = 'kept', 'repaired', 'guessed'
SIDE = 256  # pixels at which evidence is known; finer bands exist in larger crops
KEPT_LUMA, KEPT_CHROMA = 0.96, 0.75  # shares of each band at least, of a face that shows all there is to show
CROPS_OF_PASS = 16  # bounds the memory of a photo with many faces
GUESSED_SHARE = 0.4  # of the bands that tell who somebody is at most, of a face that is mostly a guess
IDENTITY_BANDS = slice(1, 4)
FINER_BANDS_AS = 1  # the band whose weights finer bands than SIDE's have: grain stays where the face is not a guess
# the face in an aligned crop, as parts of its side: centre and radii of an ellipse
FACE_CENTRE, FACE_RADII = (0.5, 0.53), (0.28, 0.37)


@dataclass(frozen=True)
class FaceEvidence:
    """What a crop shows of its face.

    Attributes:
        log_ratios: by band, float32 (2, h, w), see DAEFREvidence.
        luma, chroma: the mean weight of the photo inside the face, by band from fine to coarse, at fidelity auto.
        verdict: KEPT, nothing is missing, and no network is needed; REPAIRED; or GUESSED, most of it is invention.
    """

    log_ratios: tuple[Tensor, ...]
    luma: tuple[float, ...]
    chroma: tuple[float, ...]
    verdict: str

    @property
    def is_finite(self) -> bool:
        """Whether it is evidence at all, and not what a broken network gives."""
        return all(bool(map_.isfinite().all()) for map_ in self.log_ratios)

    def is_enough(self, fidelity: float | None) -> bool:
        """Whether the face is kept as it is: no network is needed, unless a fidelity below 0.5 asks for its face."""
        return self.verdict == KEPT and (fidelity is None or fidelity >= 0.5)


@dataclass(frozen=True)
class FusedFace:
    """A result.

    Attributes:
        face: (S, S, 3) BGR uint8.
        change: (S, S, 3) float32 BGR, of 255: the face less the crop, not rounded: what is to be pasted. A kept face's
            is 0 everywhere.
        evidence: of the crop.
    """

    face: np.ndarray
    change: np.ndarray
    evidence: FaceEvidence

    @classmethod
    def kept(cls, crop: np.ndarray, evidence: FaceEvidence) -> 'FusedFace':
        """The crop (S, S, 3) BGR uint8 itself."""
        return cls(crop, np.zeros(crop.shape, np.float32), evidence)


class EvidenceFusion:
    """Judges crops and fuses them with a restoration network's faces, whichever network it was.

    Crops are aligned faces (S, S, 3) BGR, uint8 or float32 of range [0, 255], S >= 256: the face's own resolution. The
    network's faces are (R, R, 3) BGR uint8, of any R. Where S is larger than 256, bands finer than that are the
    photo's, grain included, except where the face is a guess down to its second band: there they are the network's.

    Example:
        fusion = EvidenceFusion(load_network('daefr-evidence'), load_network('daefr-harmoniser'))
        evidence = fusion.assess(crops)
        todo = [i for i, one in enumerate(evidence) if not one.is_enough(None)]
        faces = network.restore([small(crops[i]) for i in todo])
        fused = fusion.fuse([crops[i] for i in todo], faces, evidence=[evidence[i] for i in todo])
        photo += warped(fused[0].change)

    Args:
        evidence: a DAEFREvidence.
        harmoniser: a DAEFRHarmoniser, or None for the bare mixture.
        device: where they run.
    """

    def __init__(
        self, evidence: nn.Module, harmoniser: nn.Module | None = None, *, device: str | torch.device = 'cpu'
    ) -> None:
        self.device = torch.device(device)
        self.evidence = self._prepared(evidence)
        self.harmoniser = None if harmoniser is None else self._prepared(harmoniser)

    def _prepared(self, network: nn.Module) -> nn.Module:
        network = network.float().eval().requires_grad_(False)
        return network.to(self.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def assess(self, crops: Sequence[np.ndarray]) -> list[FaceEvidence]:
        """The evidence of each crop, from the crop alone."""
        judged = []
        for start in range(0, len(crops), CROPS_OF_PASS):
            photos = self._at_side(crops[start : start + CROPS_OF_PASS])
            with precision_context('fp32', self.device):
                maps = [map_.cpu() for map_ in self.evidence(photos)]
            judged += [_judged(tuple(map_[i] for map_ in maps)) for i in range(len(photos))]
        return judged

    @torch.inference_mode()
    def fuse(
        self,
        crops: Sequence[np.ndarray],
        network_faces: Sequence[np.ndarray],
        *,
        fidelity: float | None = None,
        evidence: Sequence[FaceEvidence] | None = None,
    ) -> list[FusedFace]:
        """Fuses each crop with its network's face.

        Args:
            crops: see the class.
            network_faces: as many, of any square size.
            fidelity: 0 for the network's face alone, 1 for all that could be evidence, None (auto) and 0.5 for what the
                evidence says; the photo's weights grow with it everywhere.
            evidence: of `assess`, if the crops have been judged already.

        Raises:
            InputError: a crop of another kind, or a fidelity outside [0, 1].
        """
        evidence = self.assess(crops) if evidence is None else evidence
        passes = [slice(start, start + CROPS_OF_PASS) for start in range(0, len(crops), CROPS_OF_PASS)]
        parts = [self._fuse(crops[part], network_faces[part], fidelity, evidence[part]) for part in passes]
        return [fused for part in parts for fused in part]

    def _fuse(
        self,
        crops: Sequence[np.ndarray],
        network_faces: Sequence[np.ndarray],
        fidelity: float | None,
        evidence: Sequence[FaceEvidence],
    ) -> list[FusedFace]:
        """One pass of `fuse`."""
        photo, network = self._at_side(crops), self._at_side(network_faces)
        with precision_context('fp32', self.device):
            network = tone_like(network, photo)
            ratios = [
                torch.stack([one.log_ratios[level] for one in evidence]).to(self.device) for level in range(bands.MAPS)
            ]
            shares = weights(ratios, fidelity)
            result = mix(photo, network, shares)
            if self.harmoniser is not None and fidelity != 0:
                strength = 1.0 if fidelity is None else min(1.0, 2 * fidelity)
                result = corrected(result, strength * self.harmoniser(photo, network, result, shares), shares)
            result = with_texture(result, photo, network, shares)
        changes = ((result - photo) * 127.5).flip(1).permute(0, 2, 3, 1).cpu().numpy()
        finer = shares[FINER_BANDS_AS][:, 0].cpu().numpy()
        return [
            self._fused(*items, fidelity) for items in zip(crops, network_faces, changes, finer, evidence, strict=True)
        ]

    def _fused(
        self,
        crop: np.ndarray,
        network_face: np.ndarray,
        change: np.ndarray,
        finer: np.ndarray,
        evidence: FaceEvidence,
        fidelity: float | None,
    ) -> FusedFace:
        if evidence.is_enough(fidelity):
            return FusedFace.kept(np.rint(crop).astype(np.uint8), evidence)
        crop = crop.astype(np.float32)
        size = crop.shape[0]
        if size != SIDE:
            missing = 1 - cv2.resize(finer, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]
            own = (
                np.float32(0)
                if network_face.shape[0] <= SIDE
                else _finer(_resized(network_face.astype(np.float32), size))
            )
            change = _resized(change, size) + missing * (own - _finer(crop))
        face = np.clip(crop + change, 0, 255)
        return FusedFace(np.rint(face).astype(np.uint8), face - crop, evidence)

    def _at_side(self, faces: Sequence[np.ndarray]) -> Tensor:
        """(B, 3, SIDE, SIDE) RGB in [-1, 1]."""
        for face in faces:
            if face.ndim != 3 or face.shape[2] != 3 or face.shape[0] != face.shape[1]:
                raise InputError(f'expected aligned faces (S, S, 3) BGR, got an array {face.shape}')
        pixels = [_resized(face.astype(np.float32), SIDE) for face in faces]
        return to_tensor(pixels, self.device).contiguous(memory_format=torch.channels_last)


_resized = partial(resize_square, enlarging=cv2.INTER_CUBIC)


def _finer(image: np.ndarray) -> np.ndarray:
    """What an image (S, S, 3) float32 has in bands finer than SIDE pixels."""
    return image - _resized(_resized(image, SIDE), image.shape[0])


@lru_cache(maxsize=8)
def face_region(side: int) -> Tensor:
    """(side, side) weights that sum to 1: the ellipse of the face in an aligned crop."""
    centres = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    x, y = ((centres - centre) / radius for centre, radius in zip(FACE_CENTRE, FACE_RADII, strict=True))
    inside = (x.square() + y.square()[:, None] <= 1).float()
    return inside / inside.sum()


def _judged(log_ratios: tuple[Tensor, ...]) -> FaceEvidence:
    """Shares and verdict of one face's maps (2, h, w)."""
    means = [(share * face_region(share.shape[-1])).sum((1, 2)) for share in weights(log_ratios)]
    luma, chroma = (tuple(float(mean[i]) for mean in means) for i in (0, 1))
    verdict = REPAIRED
    if min(luma) >= KEPT_LUMA and min(chroma) >= KEPT_CHROMA:
        verdict = KEPT
    elif float(np.mean(luma[IDENTITY_BANDS])) <= GUESSED_SHARE:
        verdict = GUESSED
    return FaceEvidence(log_ratios, luma, chroma, verdict)
