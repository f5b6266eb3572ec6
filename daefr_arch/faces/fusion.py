"""Photo's face and network's face become one: what the photo shows is kept, what it lacks is put in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import cv2
import numpy as np

from daefr_arch.errors import InputError
from daefr_arch.faces.evidence import weights
from daefr_arch.io.planes import to_planes
from daefr_arch.io.resize import resize_square

KEPT, REPAIRED, GUESSED = 'kept', 'repaired', 'guessed'
SIDE = 256  # pixels at which evidence is known; finer bands exist in larger crops
KEPT_LUMA, KEPT_CHROMA = 0.96, 0.75  # shares of each band at least, of a face that shows all there is to show
CROPS_OF_PASS = 16  # bounds the memory of a photo with many faces
# energy of fine detail about a face over that within, at least, of a face worth a second look, without what is beyond
# this part of its radii
BUSIER = 2.5
ALONE_RADIUS, ALONE_SIGMA = 0.9, 4
# of the bands that tell who somebody is at most, of a face that is mostly a guess: they are weighed generously
GUESSED_SHARE = 0.6
IDENTITY_BANDS = slice(1, 4)
# the band whose weights, to this power, are those of bands finer than SIDE's: grain stays where it is surely evidence
FINER_BANDS_AS, FINER_POWER = 1, 4
# rms of 255, and sigma in pixels, of the grain where the two finest bands are a guess: skin without any is wax
GRAIN, GRAIN_SIZE = 3.1, 0.6
# the face in an aligned crop, as parts of its side: centre and radii of an ellipse
FACE_CENTRE, FACE_RADII = (0.5, 0.53), (0.28, 0.37)


class FusionNetworks(Protocol):
    """What computes with networks here: `TorchFusion`, or `OnnxFusion`. Arrays are float32, pictures RGB in [-1, 1]."""

    def evidence(self, photos: np.ndarray) -> list[np.ndarray]:
        """DAEFREvidence: photos (B, 3, SIDE, SIDE) -> log error ratios, maps (B, 2, h, w) by band."""

    def change(
        self, photos: np.ndarray, network_faces: np.ndarray, shares: Sequence[np.ndarray], strength: float
    ) -> np.ndarray:
        """band_fusion.FusedChange: (B, 3, SIDE, SIDE), what is to be added to the photos; not clipped.

        shares: the photo's weights, maps (B, 2, h, w) by band. strength: see there.
        """


@dataclass(frozen=True)
class FaceEvidence:
    """What a crop shows of its face.

    Attributes:
        log_ratios: by band, float32 arrays (2, h, w), see DAEFREvidence.
        luma, chroma: the mean weight of the photo inside the face, by band from fine to coarse, at fidelity auto.
        verdict: KEPT, nothing is missing, and no network is needed; REPAIRED; or GUESSED, most of it is invention.
    """

    log_ratios: tuple[np.ndarray, ...]
    luma: tuple[float, ...]
    chroma: tuple[float, ...]
    verdict: str

    @property
    def is_finite(self) -> bool:
        """Whether it is evidence at all, and not what a broken network gives."""
        return all(bool(np.isfinite(map_).all()) for map_ in self.log_ratios)

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
        fusion = load_fusion()
        evidence = fusion.assess(crops)
        todo = [i for i, one in enumerate(evidence) if not one.is_enough(None)]
        faces = network.restore([small(crops[i]) for i in todo])
        fused = fusion.fuse([crops[i] for i in todo], faces, evidence=[evidence[i] for i in todo])
        photo += warped(fused[0].change)

    Args:
        networks: of the evidence, and of what is to be changed.
    """

    def __init__(self, networks: FusionNetworks) -> None:
        self.networks = networks

    def assess(self, crops: Sequence[np.ndarray]) -> list[FaceEvidence]:
        """The evidence of each crop, from the crop alone.

        Noise and dots of a print lie over the face as well as beside it; what does not is cloth, which the network can
        take for them. So a face that shows nothing of it without what is about it is KEPT.
        """
        judged = []
        for start in range(0, len(crops), CROPS_OF_PASS):
            judged += self._assess([_small(crop) for crop in crops[start : start + CROPS_OF_PASS]])
        return judged

    def _assess(self, faces: Sequence[np.ndarray]) -> list[FaceEvidence]:
        """One pass of `assess`, of crops at SIDE."""
        judged = self._judge(faces)
        unsure = [i for i, face in enumerate(faces) if judged[i].verdict == REPAIRED and _is_busier_about(face)]
        if unsure:
            for i, alone in zip(unsure, self._judge([_alone(faces[i]) for i in unsure]), strict=True):
                if alone.verdict == KEPT:
                    judged[i] = alone
        return judged

    def _judge(self, faces: Sequence[np.ndarray]) -> list[FaceEvidence]:
        """The evidence of each crop at SIDE as the network sees it at first."""
        maps = self.networks.evidence(to_planes(faces))
        return [_judged(of_one) for of_one in zip(*maps, strict=True)]

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
        photos = _at_side(crops)
        shares = weights([np.stack(maps) for maps in zip(*(one.log_ratios for one in evidence), strict=True)], fidelity)
        strength = 1.0 if fidelity is None else min(1.0, 2 * fidelity)
        change = self.networks.change(photos, _at_side(network_faces), shares, strength)
        changes = np.ascontiguousarray((change * np.float32(127.5))[:, ::-1].transpose(0, 2, 3, 1))
        finest, next_one = (shares[band][:, 0] for band in (0, FINER_BANDS_AS))
        lacking = np.stack((strength * (1 - finest) * (1 - next_one), 1 - next_one**FINER_POWER), 3)
        return [
            self._fused(*items, fidelity)
            for items in zip(crops, network_faces, changes, lacking, evidence, strict=True)
        ]

    def _fused(
        self,
        crop: np.ndarray,
        network_face: np.ndarray,
        change: np.ndarray,
        lacking: np.ndarray,
        evidence: FaceEvidence,
        fidelity: float | None,
    ) -> FusedFace:
        """lacking: (h, w, 2), where grain is to be put, and where bands finer than SIDE are missing."""
        if evidence.is_enough(fidelity):
            return FusedFace.kept(np.rint(crop).astype(np.uint8), evidence)
        crop = crop.astype(np.float32)
        size = crop.shape[0]
        grainy, missing = np.split(cv2.resize(lacking, (size, size), interpolation=cv2.INTER_LINEAR), 2, axis=2)
        if size != SIDE:
            own = (
                np.float32(0)
                if network_face.shape[0] <= SIDE
                else _finer(_resized(network_face.astype(np.float32), size))
            )
            change = _resized(change, size) + missing * (own - _finer(crop))
        if (crop == crop[..., :1]).all():  # grey stays grey to the last bit
            change = change.mean(2, keepdims=True)
        face = np.clip(crop + change + grainy * _grain(size), 0, 255)
        return FusedFace(np.rint(face).astype(np.uint8), face - crop, evidence)


def _grain(size: int) -> np.ndarray:
    """Grain of rms GRAIN, (size, size, 1) float32, always the same."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((size, size), dtype=np.float32), (0, 0), GRAIN_SIZE)
    return ((noise - noise.mean()) * np.float32(GRAIN / noise.std()))[..., None]


_resized = partial(resize_square, enlarging=cv2.INTER_CUBIC)


def _at_side(faces: Sequence[np.ndarray]) -> np.ndarray:
    """(B, 3, SIDE, SIDE) float32, RGB in [-1, 1]."""
    return to_planes([_small(face) for face in faces])


def _small(face: np.ndarray) -> np.ndarray:
    """A crop (S, S, 3) at SIDE, float32."""
    if face.ndim != 3 or face.shape[2] != 3 or face.shape[0] != face.shape[1]:
        raise InputError(f'expected aligned faces (S, S, 3) BGR, got an array {face.shape}')
    return _resized(face.astype(np.float32), SIDE)


def _is_busier_about(face: np.ndarray) -> bool:
    """Whether a crop (SIDE, SIDE, 3) has much more fine detail about its face than in it."""
    luma = face.mean(2)
    energy = np.square(luma - cv2.GaussianBlur(luma, (0, 0), 1))
    inside = _face_alone()
    return bool(energy[~inside].mean() > BUSIER * energy[inside].mean())


def _alone(face: np.ndarray) -> np.ndarray:
    """The face of a crop (SIDE, SIDE, 3) float32, what is about it softened."""
    soft = cv2.GaussianBlur(face, (0, 0), ALONE_SIGMA)
    inside = cv2.GaussianBlur(_face_alone().astype(np.float32), (0, 0), ALONE_SIGMA / 2)
    return soft + inside[..., None] * (face - soft)


@lru_cache(maxsize=1)
def _face_alone() -> np.ndarray:
    """(SIDE, SIDE) bool: the face without its edge."""
    inside: np.ndarray = distance_from_face(SIDE) <= ALONE_RADIUS
    inside.setflags(write=False)
    return inside


def _finer(image: np.ndarray) -> np.ndarray:
    """What an image (S, S, 3) float32 has in bands finer than SIDE pixels."""
    return image - _resized(_resized(image, SIDE), image.shape[0])


def distance_from_face(side: int) -> np.ndarray:
    """(side, side) for an aligned crop: 0 at the centre of the face, 1 at its edge, an ellipse."""
    centres = (np.arange(side) + 0.5) / side
    x, y = ((centres - centre) / radius for centre, radius in zip(FACE_CENTRE, FACE_RADII, strict=True))
    distance: np.ndarray = np.hypot(x, y[:, None])
    return distance


@lru_cache(maxsize=8)
def face_region(side: int) -> np.ndarray:
    """(side, side) float32 weights that sum to 1: the ellipse of the face in an aligned crop."""
    inside = (distance_from_face(side) <= 1).astype(np.float32)
    region: np.ndarray = inside / inside.sum()
    region.setflags(write=False)
    return region


def _judged(log_ratios: tuple[np.ndarray, ...]) -> FaceEvidence:
    """Shares and verdict of one face's maps (2, h, w)."""
    means = [(share * face_region(share.shape[-1])).sum((1, 2)) for share in weights(log_ratios)]
    luma, chroma = (tuple(float(mean[i]) for mean in means) for i in (0, 1))
    verdict = REPAIRED
    if min(luma) >= KEPT_LUMA and min(chroma) >= KEPT_CHROMA:
        verdict = KEPT
    elif float(np.mean(luma[IDENTITY_BANDS])) <= GUESSED_SHARE:
        verdict = GUESSED
    return FaceEvidence(log_ratios, luma, chroma, verdict)
