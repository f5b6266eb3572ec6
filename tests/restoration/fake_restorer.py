"""DAEFRRestorer's interface without a network, and what may go wrong with it."""

import cv2
import numpy as np

from daefr_arch.restoration.report import FAILED, FaceReport, PhotoReport

FACE = 32


class FakeRestorer:
    """`faces` faces for each photo that is not black; red pixels at the corner stand for what may go wrong."""

    OUT_OF_MEMORY, NOT_FINITE, ONE_NOT_FINITE = (0, 0, 1), (0, 0, 2), (0, 0, 3)

    def __init__(self, upscale=2, faces=2):
        self.upscale = upscale
        self.faces = faces
        self.last_reports = []
        self.batches = []

    def enhance_batch(self, images, *, has_aligned=False, only_center_face=False, paste_back=True, weight=None):
        self.batches.append(len(images))
        corners = [tuple(int(value) for value in image[0, 0]) for image in images]
        if self.OUT_OF_MEMORY in corners:
            raise RuntimeError('CUDA out of memory')
        self.last_reports, results = [], []
        for image, corner in zip(images, corners, strict=True):
            faces = [FaceReport(box=(1.0, 2.0, 9.0, 12.0)) for _ in range(self.faces if image.any() else 0)]
            for face in faces[: {self.NOT_FINITE: 2, self.ONE_NOT_FINITE: 1}.get(corner, 0)]:
                face.status, face.warnings = FAILED, ['the network output is not finite']
            self.last_reports.append(PhotoReport(faces=faces, seconds={'detect': 0.5}))
            restored = sum(face.status != FAILED for face in faces)
            crops = [np.full((FACE, FACE, 3), 10, np.uint8)] * restored
            size = (image.shape[1] * self.upscale, image.shape[0] * self.upscale)
            whole = None if has_aligned else cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
            results.append((crops, [crop + 90 for crop in crops], whole))
        return results
