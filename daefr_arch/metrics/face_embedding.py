"""Face embeddings, with which identities are compared.

Every embedder takes an FFHQ-aligned face: facexlib's five-point template scaled to the image, as restorers write it.
Both faces of a pair are cut by that template alone. No landmarks are detected in them, so that the crop is the same
before and after restoration and no face, however degraded, drops out.
"""

from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from skimage.transform import estimate_transform

from daefr_arch.checkpoints import EXTRA, MissingWeightsError, foreign_file, load_into, locate
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.faces.aligner import face_template, warp
from daefr_arch.io.tensors import to_tensor
from daefr_arch.metrics.dlib_models import load_dlib, shape_of_aligned_face
from daefr_arch.runtime.precision import precision_context

# the five points of insightface's 112x112 crops: eyes, nose, corners of the mouth
ARCFACE_TEMPLATE_112 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
ARCFACE_SIZE = 112


class FaceEmbedder(Protocol):
    """What identity metrics ask of a backend; `protocol` describes it in one line."""

    protocol: str

    def embed(self, face: np.ndarray) -> np.ndarray:
        """FFHQ-aligned face, BGR uint8 (S, S, 3) -> embedding (D,) of unit length."""


def arcface_crop(face: np.ndarray) -> np.ndarray:
    """FFHQ-aligned face (S, S, 3) -> (112, 112, 3): the least-squares similarity between the two templates."""
    if face.shape[0] != face.shape[1]:
        raise InputError(f'expected a square FFHQ-aligned face, got {face.shape[1]}x{face.shape[0]}')
    similarity = estimate_transform('similarity', face_template(face.shape[0]), ARCFACE_TEMPLATE_112)
    return warp(face, similarity.params[:2], (ARCFACE_SIZE, ARCFACE_SIZE))


class ArcFaceEmbedder:
    """ArcFace (Deng et al., CVPR 2019), IR-SE50 of facexlib: RGB 112x112 in [-1, 1] -> 512 numbers.

    Raises MissingWeightsError where recognition_arcface_ir_se50.pth is not at hand.
    """

    def __init__(self, *, weights: str | Path | None = None, device: str | torch.device = 'cpu') -> None:
        from facexlib.recognition.arcface_arch import Backbone

        path = locate('arcface', weights)
        self.network = Backbone(num_layers=50, drop_ratio=0.6, mode='ir_se')
        load_into(self.network, path)
        self.network.requires_grad_(False).eval().to(device)
        self.device = torch.device(device)
        self.protocol = f'ArcFace IR-SE50 ({path.name}), RGB 112x112 in [-1, 1], aligned by the FFHQ template'

    def embed(self, face: np.ndarray) -> np.ndarray:
        """As `FaceEmbedder.embed`."""
        with precision_context('fp32', self.device):
            return _unit(self.network(to_tensor(arcface_crop(face), self.device))[0].cpu().numpy())


class OnnxEmbedder:
    """An ONNX file with insightface's convention: (1, 3, 112, 112) RGB, (value - 127.5) / 128."""

    def __init__(self, path: str | Path) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise MissingWeightsError(f'an ONNX backend needs an extra: {EXTRA}') from error
        path = locate('', path)
        errors = (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented, state.InvalidArgument)
        with foreign_file(path, 'an ONNX network', *errors, state.RuntimeException):
            self.session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
            self.path = path
            self.input = self.session.get_inputs()[0]
            if list(self.input.shape[1:]) != [3, ARCFACE_SIZE, ARCFACE_SIZE]:
                raise WeightsError(f'{path}: expected an input (1, 3, 112, 112), the network has {self.input.shape}')
            trial = self._run(np.zeros((1, 3, ARCFACE_SIZE, ARCFACE_SIZE), np.float32))
        if trial.ndim != 1 or not np.isfinite(trial).all():
            raise WeightsError(f'{path}: expected finite embeddings (1, D), the network gives others: {trial.shape}')
        self.protocol = f'{path.name}, RGB 112x112, (x - 127.5) / 128, aligned by the FFHQ template'

    def __reduce__(self) -> tuple[Any, ...]:
        """Sessions cannot be pickled: another process reads the file again."""
        return OnnxEmbedder, (self.path,)

    def embed(self, face: np.ndarray) -> np.ndarray:
        """As `FaceEmbedder.embed`."""
        pixels = (arcface_crop(face)[None, :, :, ::-1].transpose(0, 3, 1, 2) - np.float32(127.5)) / np.float32(128)
        return _unit(self._run(pixels.astype(np.float32)))

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(self.session.run(None, {self.input.name: pixels})[0][0])


class DlibEmbedder:
    """dlib's ResNet (128 numbers, trained by distance, not by angle); its weights come from the package registry."""

    protocol = (
        "dlib_face_recognition_resnet_model_v1, RGB 150x150, five landmarks by dlib in the FFHQ template's face box; "
        'not comparable with ArcFace'
    )

    def __init__(self) -> None:
        dlib, models = load_dlib()
        self.predictor = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self.network = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def embed(self, face: np.ndarray) -> np.ndarray:
        """As `FaceEmbedder.embed`."""
        rgb = np.ascontiguousarray(face[:, :, ::-1])
        return _unit(np.array(self.network.compute_face_descriptor(rgb, shape_of_aligned_face(rgb, self.predictor))))


@cache
def build_embedder(name: str = 'arcface', *, device: str = 'cpu') -> FaceEmbedder:
    """'arcface', 'dlib', or the path of an ONNX file.

    Raises:
        InputError: an unknown name.
        MissingWeightsError: weights or their package are not at hand.
    """
    if name == 'arcface':
        try:
            return ArcFaceEmbedder(device=device)
        except MissingWeightsError as error:
            raise MissingWeightsError(f'{error}; or take --identity_backend dlib, which needs no file') from error
    if name == 'dlib':
        return DlibEmbedder()
    if name.endswith('.onnx'):
        return OnnxEmbedder(name)
    raise InputError(f'identity backend: expected arcface, dlib or the path of an .onnx file, got {name!r}')


def _unit(embedding: np.ndarray) -> np.ndarray:
    embedding = embedding.astype(np.float64)
    return embedding / np.linalg.norm(embedding)
