"""Photos in, photos with restored faces out: the Python API, in GFPGANer's shape."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from daefr_arch.choices import BATCH_SIZE, LARGEST_UPSCALE, MIN_FACE_SIZE, SCORE_THRESHOLD, UPSCALE
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import alignment_error, crop_at_own_side, crop_face, estimate_alignment
from daefr_arch.faces.detector import FaceDetector, center_face
from daefr_arch.faces.face_mask import feather_mask
from daefr_arch.faces.fusion import EvidenceFusion
from daefr_arch.faces.paster import RestoredFace, paste_faces, paste_matrix
from daefr_arch.io.colour_space import colour_space
from daefr_arch.io.resize import resize_square
from daefr_arch.restoration.backend import RestorerParts, choose_backend
from daefr_arch.restoration.background import BackgroundUpsampler, enlarge_face, enlarge_photo
from daefr_arch.restoration.face_restorer import FaceRestorer
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FaceReport, PhotoReport

if TYPE_CHECKING:
    import torch
    from torch import nn

    from daefr_arch.metrics.face_embedding import FaceEmbedder


# alignment error of a face that is turned too far for the five landmarks to fit the template
TURNED_AWAY = 0.045
MASKS = ('feather', 'parse')
Enhanced = tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]


class DAEFRRestorer:
    """Restores the faces of photos. Photos are BGR arrays (H, W, 3) or grey ones (H, W), uint8 or uint16.

    What may be given by position, and `enhance`, are GFPGANer's.

    Args:
        model: name of the manifest ('daefr-lite', 'daefr'), a weight file, an ONNX file of `daefr export`, or a network
            with `.resolution`.
        upscale: size of the result over that of the photo, at most 32.
        arch: GFPGANer's, as `channel_multiplier` is: without effect, the weights say which network they are.
        channel_multiplier: see `arch`.
        bg_upsampler: None (Lanczos), 'realesrgan', or an object with `enhance`, such as a RealESRGANer.
        device: 'auto' (or None), 'cpu', 'cuda', 'cuda:1', ...; with the backend onnx what `provider_of` takes.
        model_path: weight file; takes precedence over `model`.
        precision: 'auto', 'fp32', 'tf32', 'bf16' or 'fp16'.
        batch_size: faces that go through the network at once; halved when memory runs out.
        compile: compile the network with torch.compile; takes minutes, less from the second start on, and only pays on
            a GPU.
        detector: a name of DETECTORS, or an object with `detect`.
        det_weights: weight file of the named detector.
        det_score: detections below it are left out.
        min_face_size: so are faces below it, in pixels of the photo.
        bg_weights: weight file of 'realesrgan'.
        bg_tile: its tiles' side in pixels.
        face_upsample: enlarge the restored faces with `bg_upsampler` too before they are pasted.
        mask: 'feather' (soft square) or 'parse' (the face's outline by ParseNet).
        parse_weights: ParseNet's weight file.
        fusion: judges what a photo shows of a face and fuses it with the network's; None for the one that is part of
            the project.
        identity_weights: ONNX file of a face embedding (insightface's convention); with it the report says how similar
            every face in the result is to the photo's.
        backend: 'torch', 'onnx' (ONNX Runtime, which needs no PyTorch: the default model, or an ONNX file), or 'auto':
            onnx for an ONNX file and where PyTorch is not installed, else torch.
        offline: never download anything.

    `shares_batches` says whether faces of several photos go through the network together. On a CPU they do not: it
    gains little there, and the last bits of a face depend on how many are computed with it, so that a photo by itself,
    in a folder, and after an interruption would differ. `last_report` and `last_reports` describe the photos of the
    last call. Raises InputError for impossible options, WeightsError where weights are missing or do not fit.
    """

    def __init__(
        self,
        model: 'str | Path | nn.Module' = 'daefr-lite',
        upscale: float = UPSCALE,
        arch: str | None = None,
        channel_multiplier: int | None = None,
        bg_upsampler: str | BackgroundUpsampler | None = None,
        device: 'str | torch.device | None' = 'auto',
        *,
        model_path: str | Path | None = None,
        precision: str = 'auto',
        batch_size: int = BATCH_SIZE,
        compile: bool = False,
        detector: str | FaceDetector = 'auto',
        det_weights: str | Path | None = None,
        det_score: float = SCORE_THRESHOLD,
        min_face_size: float = MIN_FACE_SIZE,
        bg_weights: str | Path | None = None,
        bg_tile: int = 400,
        face_upsample: bool = False,
        mask: str = 'feather',
        parse_weights: str | Path | None = None,
        fusion: EvidenceFusion | None = None,
        identity_weights: str | Path | None = None,
        backend: str = 'auto',
        offline: bool = False,
    ) -> None:
        if not 0 < upscale <= LARGEST_UPSCALE:
            raise InputError(f'upscale: expected a number above 0, at most {LARGEST_UPSCALE}, got {upscale}')
        if mask not in MASKS:
            raise InputError(f'mask: expected one of {", ".join(MASKS)}, got {mask!r}')
        if isinstance(bg_upsampler, str) and bg_upsampler != 'realesrgan':
            raise InputError(f"bg_upsampler: expected None, 'realesrgan' or an upsampler object, got {bg_upsampler!r}")
        if face_upsample and bg_upsampler is None:
            raise InputError("face_upsample: expected a bg_upsampler to enlarge the faces with, such as 'realesrgan'")
        del arch, channel_multiplier
        self.upscale = upscale
        self.backend = choose_backend(backend, model_path or model)
        parts = RestorerParts(self.backend, device=device or 'auto', precision=precision, offline=offline)
        self.network = parts.network(model_path or model, batch_size=batch_size, compile=compile)
        self.device = self.network.device
        self.shares_batches = str(self.device) != 'cpu'
        self.faces = FaceRestorer(self.network, fusion or parts.fusion())
        if isinstance(detector, str):
            detector = parts.detector(
                detector, weights=det_weights, score_threshold=det_score, min_face_size=min_face_size
            )
        self.detector = detector
        self.parser = parts.face_parser(parse_weights) if mask == 'parse' else None
        if isinstance(bg_upsampler, str):
            bg_upsampler = parts.real_esrgan(bg_weights, tile=bg_tile)
        self.bg_upsampler = bg_upsampler
        self.face_upsampler = bg_upsampler if face_upsample else None
        self.embedder = None if identity_weights is None else parts.embedder(identity_weights)
        self.last_reports: list[PhotoReport] = []

    @property
    def face_size(self) -> int:
        """Smallest side of the aligned faces in pixels; larger faces are taken at their own resolution."""
        return self.faces.smallest_side

    @property
    def last_report(self) -> PhotoReport:
        """The report of the last photo."""
        return self.last_reports[-1]

    def enhance(
        self,
        img: np.ndarray,
        has_aligned: bool = False,
        only_center_face: bool = False,
        paste_back: bool = True,
        weight: float | None = None,
    ) -> Enhanced:
        """Restores the faces of a photo; as GFPGANer.enhance.

        Args:
            img: BGR (H, W, 3) or grey (H, W), uint8 or uint16.
            has_aligned: the image is one aligned face, square; the result has its size, `face_size` at least.
            only_center_face: only the face nearest to the photo's centre.
            paste_back: also make the whole photo.
            weight: fidelity in [0, 1]: 0 for the network's face alone, 1 for all of the photo that could be evidence,
                None for what the evidence says.

        Returns:
            (cropped_faces, restored_faces, restored_img): lists of (S, S, 3) BGR uint8 in the same order, S the face's
            own resolution, and the photo at `upscale` times its size, None for aligned faces and without paste_back. A
            face whose restoration failed is in neither list, and the photo keeps its own pixels there: see
            `last_report`.

        Raises:
            InputError: no photo, a face that is not square, or a weight outside [0, 1].
        """
        return self.enhance_batch(
            [img],
            has_aligned=has_aligned,
            only_center_face=only_center_face,
            paste_back=paste_back,
            weight=weight,
        )[0]

    def enhance_batch(
        self,
        images: Sequence[np.ndarray],
        *,
        has_aligned: bool = False,
        only_center_face: bool = False,
        paste_back: bool = True,
        weight: float | None = None,
    ) -> list[Enhanced]:
        """`enhance` for several photos, whose faces share the network's batches; `last_reports` is parallel to them."""
        works = [self.find_faces(img, has_aligned=has_aligned, only_center_face=only_center_face) for img in images]
        self.restore_faces(works, weight=weight)
        self.last_reports = [work.report for work in works]
        return [self.finish(work, paste_back=paste_back) for work in works]

    def find_faces(
        self,
        img: np.ndarray,
        *,
        has_aligned: bool = False,
        only_center_face: bool = False,
        icc_profile: bytes | None = None,
    ) -> PhotoWork:
        """The first step of `enhance_batch`, of one photo: checks it, detects its faces and aligns them.

        icc_profile: of the photo, None for sRGB. Networks see sRGB, the crops are sRGB, the result has the photo's
        colours; raises ValueError where it is damaged.

        The three steps may run in different threads, each in one at a time: `photo_folder` overlaps them.
        """
        work = PhotoWork(_checked(img), colours=colour_space(icc_profile) if icc_profile else None)
        if has_aligned:
            work.crops, work.report.faces = [self._aligned_crop(work.seen(work.img))], [FaceReport()]
        else:
            self._detect(work, only_center_face)
        return work

    def _aligned_crop(self, img: np.ndarray) -> np.ndarray:
        """An image that is one aligned face, enlarged where it is smaller than the network's."""
        height, width = img.shape[:2]
        if height != width:
            raise InputError(
                f'has_aligned: expected a square aligned face, got {width}x{height} pixels: '
                'leave out has_aligned (--has_aligned), so that faces are found and aligned'
            )
        return resize_square(img, max(self.face_size, height))

    def _detect(self, work: PhotoWork, only_center_face: bool) -> None:
        """Detects and aligns."""
        start = time.perf_counter()
        height, width = work.img.shape[:2]
        faces = self.detector.detect(work.seen(work.img))
        if only_center_face and faces:
            faces = [center_face(faces, height, width)]
        for face in faces:
            report = FaceReport.of(face)
            try:
                matrix = estimate_alignment(face.landmarks, self.face_size)
            except InputError as error:
                work.report.warnings.append(f'a face was left out: {error}')
                continue
            if alignment_error(face.landmarks, matrix, self.face_size) > TURNED_AWAY:
                report.warnings.append('turned far from the camera: the restored face may be wrong')
            crop, matrix = crop_at_own_side(work.img, matrix, self.face_size)
            work.matrices.append(matrix)
            work.crops.append(work.seen(crop))
            work.report.faces.append(report)
        work.report.seconds['detect'] = time.perf_counter() - start

    def restore_faces(self, works: Sequence[PhotoWork], *, weight: float | None = None) -> None:
        """The second step: restores the faces of all photos, by `shares_batches` together. weight: as in `enhance`."""
        for group in [works] if self.shares_batches else [[work] for work in works]:
            self._restore_together(group, weight)

    def _restore_together(self, works: Sequence[PhotoWork], weight: float | None) -> None:
        start = time.perf_counter()
        crops = [crop for work in works for crop in work.crops]
        results = iter(self.faces.restore(crops, fidelity=weight))
        seconds = (time.perf_counter() - start) / max(1, len(crops))
        for work in works:
            work.restored = []
            for report in work.report.faces:
                fused, evidence = next(results)
                report.seconds = seconds
                report.judge(evidence, fused)
                work.restored.append(fused)
            work.report.seconds['restore'] = seconds * len(work.crops)
            work.report.precision = str(self.network.precisions)
            work.report.backend = self.network.backend

    def finish(self, work: PhotoWork, *, paste_back: bool = True) -> Enhanced:
        """The last step: enlarges the photo, pastes its faces, and returns what `enhance` does.

        An aligned face has no photo to paste it into.
        """
        img = None
        is_aligned_face = bool(work.crops) and not work.matrices
        if paste_back and not is_aligned_face:
            start = time.perf_counter()
            img = enlarge_photo(work.img, self.upscale, self.bg_upsampler)
            enlarged = time.perf_counter()
            self._paste(img, work)
            work.report.seconds['background'] = enlarged - start
            work.report.seconds['paste'] = time.perf_counter() - enlarged
        if self.embedder is not None:
            self._compare_identities(self.embedder, work, img)
        pairs = [(crop, fused.face) for crop, fused in zip(work.crops, work.restored, strict=True) if fused is not None]
        return [crop for crop, _ in pairs], [face for _, face in pairs], img

    def _paste(self, img: np.ndarray, work: PhotoWork) -> None:
        """Puts the faces into the enlarged photo."""
        pasted = self.pasted_faces(work)
        if self.face_upsampler is not None:
            pasted = [enlarge_face(face, self.upscale, self.face_upsampler) for face in pasted]
        paste_faces(img, pasted, self.upscale)

    def pasted_faces(self, work: PhotoWork) -> list[RestoredFace]:
        """What `finish` puts into the photo: changes of it; where an upsampler has drawn the photo anew, faces."""
        return [
            RestoredFace(
                work.face(fused) if self.bg_upsampler else work.change(crop, fused), self._mask(fused.face), matrix
            )
            for crop, fused, matrix in zip(work.crops, work.restored, work.matrices, strict=True)
            if fused is not None and (self.bg_upsampler or fused.change.any())
        ]

    def _mask(self, face: np.ndarray) -> np.ndarray:
        return self.parser.mask(face) if self.parser else feather_mask(face.shape[0])

    def _compare_identities(self, embedder: 'FaceEmbedder', work: PhotoWork, img: np.ndarray | None) -> None:
        """Cosine similarity of each face in the result, cut out of it again, to the photo's."""
        for index, (report, crop, fused) in enumerate(zip(work.report.faces, work.crops, work.restored, strict=True)):
            if fused is None:
                continue
            face = fused.face
            if img is not None:
                matrix = cv2.invertAffineTransform(paste_matrix(work.matrices[index], self.upscale))
                face = work.seen(crop_face(img, matrix, len(crop)))
            report.identity = float(embedder.embed(crop) @ embedder.embed(face))


def _checked(img: np.ndarray) -> np.ndarray:
    """The photo as BGR (H, W, 3); raises InputError for anything that is no photo."""
    if not isinstance(img, np.ndarray) or img.dtype not in (np.uint8, np.uint16):
        kind = f'{img.dtype} array' if isinstance(img, np.ndarray) else type(img).__name__
        raise InputError(f'photo: expected a uint8 or uint16 array, got {kind}')
    if img.ndim == 2:
        return cv2.cvtColor(img, cv2.COLOR_GRAY2BGR)
    if img.ndim != 3 or img.shape[2] != 3 or 0 in img.shape:
        raise InputError(f'photo: expected BGR (H, W, 3) or grey (H, W), got an array of shape {img.shape}')
    return img
