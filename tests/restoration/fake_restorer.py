"""DAEFRRestorer's interface without a network, and what may go wrong with it."""

import cv2
import numpy as np

from daefr_arch.faces.fusion import REPAIRED
from daefr_arch.restoration.photo_work import PhotoWork
from daefr_arch.restoration.report import FAILED, FaceReport, PhotoReport

FACE = 32


class FakeRestorer:
    """`faces` faces for each photo that is not black; red pixels at the corner stand for what may go wrong."""

    OUT_OF_MEMORY, NOT_FINITE, ONE_NOT_FINITE = (0, 0, 1), (0, 0, 2), (0, 0, 3)

    def __init__(self, upscale=2, faces=2):
        self.upscale = upscale
        self.faces = faces
        self.batches = []

    def find_faces(self, img, *, has_aligned=False, only_center_face=False, icc_profile=None):
        count = self.faces if img.any() else 0
        faces = [FaceReport(box=(1.0, 2.0, 9.0, 12.0), status=REPAIRED) for _ in range(count)]
        crops = [np.full((FACE, FACE, 3), 10, np.uint8)] * count
        report = PhotoReport(faces=faces, seconds={'detect': 0.5})
        return PhotoWork(img, report, crops, matrices=[] if has_aligned else [np.eye(2, 3)] * count)

    def restore_faces(self, works, *, weight=None):
        self.batches.append(len(works))
        corners = [tuple(int(value) for value in work.img[0, 0]) for work in works]
        if self.OUT_OF_MEMORY in corners:
            raise RuntimeError('CUDA out of memory')
        for work, corner in zip(works, corners, strict=True):
            failed = {self.NOT_FINITE: 2, self.ONE_NOT_FINITE: 1}.get(corner, 0)
            for face in work.report.faces[:failed]:
                face.status, face.warnings = FAILED, ['the network output is not finite']
            work.restored = [None if face.status == FAILED else crop + 90 for face, crop in zip_faces(work)]

    def finish(self, work):
        size = (work.img.shape[1] * self.upscale, work.img.shape[0] * self.upscale)
        aligned = work.crops and not work.matrices
        whole = None if aligned else cv2.resize(work.img, size, interpolation=cv2.INTER_NEAREST)
        pairs = [(crop, face) for crop, face in zip(work.crops, work.restored, strict=True) if face is not None]
        return [crop for crop, _ in pairs], [face for _, face in pairs], whole


def zip_faces(work):
    """Report and crop of each face."""
    return zip(work.report.faces, work.crops, strict=True)
