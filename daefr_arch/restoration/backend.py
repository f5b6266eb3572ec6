"""What computes: PyTorch, or ONNX Runtime where PyTorch is not wanted. The parts of a restorer that hold networks."""

from pathlib import Path
from typing import TYPE_CHECKING

from daefr_arch.choices import BACKENDS
from daefr_arch.errors import InputError
from daefr_arch.faces.detector import FaceDetector, build_detector
from daefr_arch.faces.fusion import EvidenceFusion
from daefr_arch.restoration.background import BackgroundUpsampler
from daefr_arch.restoration.face_restorer import load_fusion
from daefr_arch.runtime.restoration_network import RestorationNetwork
from daefr_arch.torch_extra import has_torch, require_torch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from daefr_arch.faces.face_parser import FaceParser
    from daefr_arch.metrics.face_embedding import FaceEmbedder

ONNX_ENDING = '.onnx'


def choose_backend(name: str, model: 'str | Path | nn.Module') -> str:
    """'torch' or 'onnx'; for 'auto' onnx where the model is an ONNX file or PyTorch is not installed.

    Raises:
        InputError: an unknown name, or one that does not compute such a model.
        UsageError: torch, which is not installed.
    """
    if name not in BACKENDS:
        raise InputError(f'backend: expected one of {", ".join(BACKENDS)}, got {name!r}')
    is_graph = isinstance(model, str | Path) and Path(model).suffix == ONNX_ENDING
    if name == 'auto':
        return 'onnx' if is_graph or not has_torch() else 'torch'
    if name == 'torch':
        if is_graph:
            raise InputError(f'{model}: the backend torch reads weight files; leave it out, or choose onnx')
        require_torch('the backend torch')
    return name


class RestorerParts:
    """Builds the parts of a restorer.

    Args:
        backend: of choose_backend.
        device, precision, offline: of DAEFRRestorer.
    """

    def __init__(self, backend: str, *, device: 'str | torch.device', precision: str, offline: bool) -> None:
        self.backend = backend
        self.device = device
        self.precision = precision
        self.offline = offline

    def network(self, model: 'str | Path | nn.Module', *, batch_size: int, compile: bool) -> RestorationNetwork:
        """The restoration network; from then on `device` is the one that it was given."""
        network: RestorationNetwork
        if self.backend == 'onnx':
            from daefr_arch.runtime.onnx_face_network import OnnxFaceNetwork

            if compile:
                raise InputError('compile: expected the backend torch')
            if not isinstance(model, str | Path):
                raise InputError(
                    f'backend: onnx computes the default model or an ONNX file, got {type(model).__name__}'
                )
            network = OnnxFaceNetwork(model, device=str(self.device), precision=self.precision, batch_size=batch_size)
        else:
            from daefr_arch import checkpoints
            from daefr_arch.runtime.face_network import FaceNetwork

            loaded = checkpoints.load_network(model, offline=self.offline) if isinstance(model, str | Path) else model
            network = FaceNetwork(
                loaded, device=self.device, precision=self.precision, batch_size=batch_size, compile=compile
            )
        self.device = network.device
        return network

    def fusion(self) -> EvidenceFusion:
        """What judges crops and fuses them with the network's faces."""
        return load_fusion(self.device, backend=self.backend, offline=self.offline)

    def detector(
        self, name: str, *, weights: str | Path | None, score_threshold: float, min_face_size: float
    ) -> FaceDetector:
        """As build_detector."""
        return build_detector(
            name,
            device=self.device,
            backend=self.backend,
            offline=self.offline,
            weights=weights,
            score_threshold=score_threshold,
            min_face_size=min_face_size,
        )

    def face_parser(self, weights: str | Path | None) -> 'FaceParser':
        """ParseNet, which PyTorch computes beside either backend."""
        require_torch('mask: parse (--mask parse)')
        from daefr_arch.faces.face_parser import FaceParser

        return FaceParser(device=self._torch_device(), offline=self.offline, weights=weights)

    def real_esrgan(self, weights: str | Path | None, *, tile: int) -> BackgroundUpsampler:
        """Real-ESRGAN, which PyTorch computes beside either backend."""
        require_torch('bg_upsampler: realesrgan (--bg_upsampler realesrgan)')
        from daefr_arch.restoration.real_esrgan import RealESRGANUpsampler

        return RealESRGANUpsampler(
            weights=weights, tile=tile, device=self._torch_device(), precision=self.precision, offline=self.offline
        )

    def embedder(self, weights: str | Path) -> 'FaceEmbedder':
        """The face embedding of an ONNX file."""
        require_torch('identity_weights (--identity_weights)')  # the room of the metrics does
        from daefr_arch.metrics.face_embedding import OnnxEmbedder

        return OnnxEmbedder(weights)

    def _torch_device(self) -> 'torch.device':
        from daefr_arch.runtime.precision import resolve_device

        return resolve_device(self.device if self.backend == 'torch' else 'auto')
