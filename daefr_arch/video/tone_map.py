"""Films of high dynamic range: what the network sees of them, and its changes in their own values.

The network is shown light as on an ordinary display: light up to KNEE as it is, brighter light pressed together. The
way back is exact, so that what a change leaves alone stays.
"""

import numpy as np

from daefr_arch.video.colour import BT2020, PQ, Colour

WHITE = 203.0  # cd/m2 of diffuse white (ITU-R BT.2408)
KNEE = 0.7  # of diffuse white
BRIGHTEST = 0.995  # of the display, that can still be undone
DISPLAY_GAMMA = 2.2
# ITU-R BT.2087, linear light, RGB; reversed both ways it is BGR's
_TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
_FROM_709 = np.linalg.inv(_TO_709)
# SMPTE ST 2084
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# ARIB STD-B67
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_WHITE = 0.265  # scene light of diffuse white, a signal of 75 %


class ToneMap:
    """Between the signal of a film of PQ or HLG and pictures for an ordinary display. colour: of the film."""

    def __init__(self, colour: Colour) -> None:
        self._is_pq = colour.transfer == PQ
        self._is_wide = colour.primaries == BT2020
        values = np.arange(65536) / 65535
        light = _pq_light(values) / WHITE if self._is_pq else _hlg_light(values) / _HLG_WHITE
        self._light = light.astype(np.float32)  # of each value of the signal, diffuse white being 1

    def to_display(self, signal: np.ndarray) -> np.ndarray:
        """Signal (H, W, 3) BGR uint16 -> what a display of BT.709 shows, uint8."""
        return np.rint(self._shown(signal) * 255).astype(np.uint8)

    def change_of_signal(self, signal: np.ndarray, change: np.ndarray) -> np.ndarray:
        """A change of what is shown, as a change of the signal.

        Args:
            signal: (h, w, 3) BGR uint16, before the change.
            change: (h, w, 3) float32, of 255, of the picture that `to_display` gives.

        Returns:
            (h, w, 3) float32, of 255; 0 wherever the change is.
        """
        shown = self._shown(signal).astype(np.float64)
        changed = np.clip(shown + change / 255, 0, 1)
        difference = self._signal(changed) - self._signal(shown)
        return (difference * 255 * (change != 0).any(axis=2, keepdims=True)).astype(np.float32)

    def _shown(self, signal: np.ndarray) -> np.ndarray:
        """Signal, BGR uint16 -> display values in [0, 1], float32."""
        light = self._light[signal]
        if self._is_wide:
            light = np.maximum(light @ _TO_709[::-1, ::-1].T.astype(np.float32), 0)
        bright = light > KNEE
        over = (light[bright] - KNEE) / (1 - KNEE)
        light[bright] = KNEE + (1 - KNEE) * over / (1 + over)
        return light ** np.float32(1 / DISPLAY_GAMMA)

    def _signal(self, shown: np.ndarray) -> np.ndarray:
        """The other way."""
        pressed = np.minimum(shown**DISPLAY_GAMMA, BRIGHTEST)
        over = np.maximum(pressed - KNEE, 0) / (1 - KNEE)
        light = np.where(pressed > KNEE, KNEE + (1 - KNEE) * over / (1 - over), pressed)
        if self._is_wide:
            light = np.maximum(light @ _FROM_709[::-1, ::-1].T, 0)
        return _pq_signal(light * WHITE) if self._is_pq else _hlg_signal(light * _HLG_WHITE)


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2."""
    root = signal ** (1 / _M2)
    return 10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_signal(light: np.ndarray) -> np.ndarray:
    power = (light / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    """Scene light in [0, 1]."""
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)


def _hlg_signal(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 1 / 12, np.sqrt(3 * light), _A * np.log(np.maximum(12 * light - _B, 1e-9)) + _C)
