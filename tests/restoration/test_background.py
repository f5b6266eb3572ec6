import cv2
import numpy as np
import pytest
import torch
from basicsr.archs.rrdbnet_arch import RRDBNet

from daefr_arch.errors import InputError, WeightsError
from daefr_arch.restoration.background import enlarge_photo
from daefr_arch.restoration.real_esrgan import TILE_OVERLAP, RealESRGANUpsampler
from tests.faces.photos import astronaut


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Real-ESRGAN x2 of one narrow block, in a file as Real-ESRGAN publishes them."""
    torch.manual_seed(0)
    network = RRDBNet(num_in_ch=3, num_out_ch=3, scale=2, num_feat=8, num_block=1, num_grow_ch=4)
    path = tmp_path_factory.mktemp('weights') / 'RealESRGAN_x2plus.pth'
    torch.save({'params_ema': network.state_dict()}, path)
    return str(path)


def test_lanczos() -> None:
    expected = cv2.resize(astronaut(), (768, 768), interpolation=cv2.INTER_LANCZOS4)
    np.testing.assert_array_equal(enlarge_photo(astronaut(), 1.5), expected)


def test_same_size_is_a_copy() -> None:
    photo = np.zeros((8, 9, 3), np.uint16)
    enlarged = enlarge_photo(photo, 1)
    enlarged += 1
    assert enlarged.dtype == np.uint16
    assert not photo.any()

    class View:
        def enhance(self, img: np.ndarray, outscale: float) -> tuple[np.ndarray, str]:
            return img[:], 'RGB'

    assert not np.may_share_memory(enlarge_photo(photo, 1, View()), photo)


def test_tiles_agree_with_the_whole(weights: str) -> None:
    photo = astronaut()[100:201, 100:235]  # odd sides
    whole = RealESRGANUpsampler(weights=weights, tile=0, device='cpu', precision='fp32').enhance(photo)[0]
    tiled = RealESRGANUpsampler(weights=weights, tile=60, device='cpu', precision='fp32').enhance(photo)[0]
    assert whole.shape == (202, 270, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_network_output(weights: str) -> None:
    """The same numbers as BasicSR's network, RGB in [0, 1], computes."""
    photo = astronaut()[:48, :64]
    upsampler = RealESRGANUpsampler(weights=weights, tile=0, device='cpu', precision='fp32')
    x = torch.from_numpy(photo[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = upsampler.network(x)[0].clamp(0, 1).permute(1, 2, 0).numpy()[:, :, ::-1] * 255
    assert np.abs(upsampler.enhance(photo)[0] - expected).max() <= 0.51


def test_other_scales_and_sixteen_bits(weights: str) -> None:
    upsampler = RealESRGANUpsampler(weights=weights, device='cpu', precision='fp32')
    photo = astronaut()[:40, :52].astype(np.uint16) * 257
    enlarged = enlarge_photo(photo, 3, upsampler)
    assert (enlarged.shape, enlarged.dtype) == ((120, 156, 3), np.uint16)


def test_memory_halves_the_tile(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upsampler = RealESRGANUpsampler(weights=weights, tile=128, device='cpu', precision='fp32')
    photo = astronaut()[:150, :150]
    expected = upsampler.enhance(photo)[0]
    forward, limit = upsampler.network.forward, (64 + 2 * TILE_OVERLAP) ** 2

    def small_forward(x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] * x.shape[3] > limit:
            raise torch.OutOfMemoryError('of the test')
        return forward(x)

    monkeypatch.setattr(upsampler.network, 'forward', small_forward)
    assert np.abs(upsampler.enhance(photo)[0].astype(int) - expected).max() <= 1
    assert upsampler.tile == 64


def test_foreign_upsampler() -> None:
    """Anything with RealESRGANer's enhance serves; another size is resized, another depth refused."""

    class Doubler:
        def enhance(self, img: np.ndarray, outscale: float) -> tuple[np.ndarray, str]:
            return np.repeat(np.repeat(img, 2, axis=0), 2, axis=1), 'RGB'

    class Broken:
        def enhance(self, img: np.ndarray, outscale: float) -> tuple[np.ndarray, str]:
            return img.astype(np.float32), 'RGB'

    photo = astronaut()[:20, :30]
    assert enlarge_photo(photo, 4, Doubler()).shape == (80, 120, 3)
    with pytest.raises(InputError, match='uint8'):
        enlarge_photo(photo, 4, Broken())


def test_wrong_weights(tmp_path) -> None:
    path = tmp_path / 'other.pth'
    torch.save({'params': {'conv.weight': torch.zeros(3)}}, path)
    with pytest.raises(WeightsError, match='Real-ESRGAN'):
        RealESRGANUpsampler(weights=path, device='cpu')
    with pytest.raises(InputError, match='bg_tile'):
        RealESRGANUpsampler(weights=path, tile=-1, device='cpu')
