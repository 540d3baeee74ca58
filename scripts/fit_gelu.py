"""Prints the coefficients of the polynomial from which the kernels compute GELU, and how far off it is.

The tail of the normal distribution, Φ(−z), falls from 1/2 to 1e-9 over 0 ≤ z ≤ 6. Its eighth root is nearly straight,
so that a polynomial of degree 8 gets within 2e-9 of the tail when it is raised to the eighth power again. Lawson's
method (1961): least squares, each point weighted more the further off it was.

    python scripts/fit_gelu.py
"""

from math import erfc, sqrt

import numpy as np
from numpy.polynomial import chebyshev, polynomial

END, DEGREE, POWER = 6.0, 8, 8
POINTS, ROUNDS = 4000, 200


def coefficients() -> tuple[np.ndarray, float]:
    """Coefficients of the root of the tail in powers of z, the lowest first, and the largest error of the tail."""
    z = END / 2 * (1 - np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS))
    tail = np.array([erfc(x / sqrt(2)) / 2 for x in z])
    root = tail ** (1 / POWER)
    basis = chebyshev.chebvander(2 * z / END - 1, DEGREE)
    # What an error of the root does to the tail.
    slope = POWER * root ** (POWER - 1)
    weights = np.ones(POINTS)
    for _ in range(ROUNDS):
        scale = np.sqrt(weights) * slope
        fit = np.linalg.lstsq(basis * scale[:, None], root * scale, rcond=None)[0]
        error = np.abs((basis @ fit) ** POWER - tail)
        weights *= error
        weights *= POINTS / weights.sum()
    powers = np.zeros(1)
    for coefficient in chebyshev.cheb2poly(fit)[::-1]:
        powers = polynomial.polyadd(polynomial.polymul(powers, [-1, 2 / END]), [coefficient])
    return powers, error.max()


if __name__ == "__main__":
    found, error = coefficients()
    print(", ".join(f"{float(x):.9e}" for x in found.astype(np.float32)))
    print(f"off by {error:.1e} at most")
