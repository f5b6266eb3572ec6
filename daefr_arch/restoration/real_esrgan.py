"""Real-ESRGAN through BasicSR's RRDBNet, for the photo around the faces."""

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from basicsr.archs.rrdbnet_arch import RRDBNet

from daefr_arch import checkpoints
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.runtime.precision import precision_context, resolve_device, resolve_precision

_logger = logging.getLogger(__name__)

TILE_OVERLAP = 16  # pixels of the photo around a tile; those at its borders are not kept
SCALE_OF_CHANNELS = {12: 2, 3: 4}  # RRDBNet unshuffles its input for scale 2


class RealESRGANUpsampler:
    """Real-ESRGAN (Wang et al., ICCVW 2021) x2 or x4, in tiles.

    weights: a file of an RRDBNet; None stands for `realesrgan_x2plus` of the manifest. tile: side in the photo's
    pixels, 0 for the photo as one; halved when memory runs out.
    """

    def __init__(
        self,
        *,
        weights: str | Path | None = None,
        tile: int = 400,
        device: str | torch.device = 'auto',
        precision: str = 'auto',
        offline: bool = False,
    ) -> None:
        if tile < 0:
            raise InputError(f'bg_tile: expected pixels, 0 for no tiles, got {tile}')
        self.tile = tile
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        path = weights or checkpoints.fetch('realesrgan_x2plus', offline=offline)
        self.network = _build_rrdbnet(checkpoints.read_checkpoint(path).state_dict, str(path)).to(self.device)
        self.scale: int = self.network.scale

    def enhance(self, img: np.ndarray, outscale: float | None = None) -> tuple[np.ndarray, str]:
        """A photo (H, W, 3) BGR uint8 or uint16 enlarged, and its mode ('RGB'), as RealESRGANer returns them."""
        limit = np.iinfo(img.dtype).max
        pixels = torch.from_numpy(img.astype(np.float32) / limit).flip(2).permute(2, 0, 1)[None]
        enlarged = self._enlarge(pixels)[0].permute(1, 2, 0).flip(2).clamp(0, 1).numpy()
        result = np.rint(enlarged * limit).astype(img.dtype)
        if outscale is not None and outscale != self.scale:
            size = (int(img.shape[1] * outscale), int(img.shape[0] * outscale))
            result = cv2.resize(result, size, interpolation=cv2.INTER_LANCZOS4)
        return result, 'RGB'

    def _enlarge(self, pixels: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W) in [0, 1] -> (1, 3, scale * H, scale * W), tile by tile."""
        _, channels, height, width = pixels.shape
        result = pixels.new_empty(1, channels, height * self.scale, width * self.scale)
        y = 0
        while y < height:
            tile = self.tile or max(height, width)
            try:
                for x in range(0, width, tile):
                    self._enlarge_tile(pixels, result, y, x, tile)
            except torch.OutOfMemoryError:
                if tile <= 4 * TILE_OVERLAP:
                    raise
                self.tile = tile // 2
                _logger.warning('out of memory with background tiles of %d pixels: going on with %d', tile, self.tile)
                torch.cuda.empty_cache()
                continue
            y += tile
        return result

    @torch.inference_mode()
    def _enlarge_tile(self, pixels: torch.Tensor, result: torch.Tensor, y: int, x: int, tile: int) -> None:
        """Writes the enlarged tile at (y, x) into `result`; what surrounds the tile is seen by the network too."""
        height, width = pixels.shape[2:]
        top, left = max(0, y - TILE_OVERLAP), max(0, x - TILE_OVERLAP)
        end_y, end_x = min(height, y + tile), min(width, x + tile)
        part = pixels[:, :, top : min(height, end_y + TILE_OVERLAP), left : min(width, end_x + TILE_OVERLAP)]
        # RRDBNet unshuffles by 2: an odd side gets one more row or column, cut off again below
        odd = (0, part.shape[3] % 2, 0, part.shape[2] % 2)
        part = torch.nn.functional.pad(part, odd, mode='replicate').to(self.device)
        with precision_context(self.precision, self.device):
            output = self.network(part).float().cpu()
        scale = self.scale
        result[:, :, y * scale : end_y * scale, x * scale : end_x * scale] = output[
            :, :, (y - top) * scale : (end_y - top) * scale, (x - left) * scale : (end_x - left) * scale
        ]


def _build_rrdbnet(state: dict[str, torch.Tensor], name: str) -> RRDBNet:
    """The RRDBNet of a state dict, its sizes read from it. Raises WeightsError where it is another network's."""
    blocks = {key.split('.')[1] for key in state if key.startswith('body.')}
    first, growth = (state.get(key, torch.empty(0)).shape for key in ('conv_first.weight', 'body.0.rdb1.conv1.weight'))
    if len(first) != 4 or len(growth) != 4 or first[1] not in SCALE_OF_CHANNELS or 0 in (*first, *growth):
        raise WeightsError(f'{name}: expected the weights of a Real-ESRGAN x2 or x4 (RRDBNet)')
    with checkpoints.naming(name), checkpoints.no_larger_than(state):
        network = RRDBNet(
            num_in_ch=3,
            num_out_ch=3,
            scale=SCALE_OF_CHANNELS[first[1]],
            num_feat=first[0],
            num_block=len(blocks),
            num_grow_ch=growth[0],
        ).float()  # whatever the default type is
    checkpoints.fill(network, state, name)
    return network.eval()
