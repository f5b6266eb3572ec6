"""Zernike polynomials in Noll's order, and their coefficients' covariance in Kolmogorov turbulence.

Noll, "Zernike polynomials and atmospheric turbulence", JOSA 66 (1976).
"""

import math

import numpy as np
from scipy.special import gamma

# power spectrum of the phase: KOLMOGOROV * r0^(-5/3) * f^(-11/3), f in cycles per metre (0.0229 in Noll's paper)
KOLMOGOROV = gamma(11 / 6) ** 2 / (2 * math.pi ** (11 / 3)) * (24 / 5 * gamma(6 / 5)) ** (5 / 6)


def noll_to_radial(j: int) -> tuple[int, int]:
    """Radial order n and azimuthal order m of Noll's index j >= 1; m < 0 for the sine terms."""
    n = math.ceil((math.sqrt(8 * j + 1) - 3) / 2)
    rest = j - n * (n + 1) // 2 - 1
    m = 2 * ((rest + 1) // 2) if n % 2 == 0 else 2 * (rest // 2) + 1
    return n, m if j % 2 == 0 else -m


def zernike(j: int, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Noll's polynomial j, of unit mean square over the unit disc; 0 outside of it."""
    n, m = noll_to_radial(j)
    order = abs(m)
    radial = np.zeros_like(radius)
    for k in range((n - order) // 2 + 1):
        numerator = (-1) ** k * math.factorial(n - k)
        halves = math.factorial((n + order) // 2 - k) * math.factorial((n - order) // 2 - k)
        radial += numerator / (math.factorial(k) * halves) * radius ** (n - 2 * k)
    if m == 0:
        azimuthal = np.ones_like(angle)
    else:
        azimuthal = math.sqrt(2) * (np.cos(order * angle) if m > 0 else np.sin(order * angle))
    return np.where(radius <= 1, math.sqrt(n + 1) * radial * azimuthal, 0)


def noll_covariance(indices: range) -> np.ndarray:
    """Covariance (N, N) in rad^2 of the coefficients `indices` (all >= 2) for D/r0 = 1; it grows as (D/r0)^(5/3)."""
    return np.array([[_covariance(j, k) for k in indices] for j in indices])


def _covariance(j: int, k: int) -> float:
    (n, m), (p, q) = noll_to_radial(j), noll_to_radial(k)
    if m != q:
        return 0.0
    sign = (-1) ** ((n + p - 2 * abs(m)) // 2)
    # the integral of J_{n+1}(x) J_{p+1}(x) x^(-14/3) over x > 0
    integral = gamma(14 / 3) * gamma((n + p - 5 / 3) / 2) / 2 ** (14 / 3)
    integral /= gamma((p - n + 17 / 3) / 2) * gamma((n - p + 17 / 3) / 2) * gamma((n + p + 23 / 3) / 2)
    scale = 2 * KOLMOGOROV / math.pi * (2 * math.pi) ** (11 / 3) / 2 ** (5 / 3)
    return float(sign * scale * math.sqrt((n + 1) * (p + 1)) * integral)
