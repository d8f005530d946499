r"""The exact pair with one output: a point that travels along a hyperbola.

With one output ``s = D_y dh`` and ``d = ‖D_y‖²`` are numbers, and so are ``m = ½(b·h2 + a·d)`` and ``n = √(ab)·s``.
They move as ``m' = 2n(σ − n)``, ``n' = 2m(σ − n)`` with ``σ = √(ab)·dy*``, hence along ``m² − n² = const``.  The angle
that is travelled obeys a Riccati equation, whose solution is a ratio of two sums of exponentials
(``docs/theory/exact.md``, section 4): no start is singular.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def travel(a: Array, b: Array, h2: Array, gain: Array, dy: Array, target: Array, times: Array) -> tuple[Array, Array]:
    """Follow pairs of one output, in closed form.

    Parameters
    ----------
    a, b
        Weights of encoder and decoder, ``eta_h·dx2/2`` and ``eta_y/2``, ``(...)``.
    h2, gain, dy
        At the start: ‖dh‖², ‖D_y‖² and the signed difference of the outputs, ``(...)``.
    target
        Signed difference of the targets, ``(...)``.
    times
        In steps, ``(step,)``; ``inf`` is the end of learning.

    Returns
    -------
    Array
        ‖dh‖², ``(..., step)``.
    Array
        Signed difference of the outputs, ``(..., step)``.
    """
    sign = np.where(target < 0, -1.0, 1.0)  # so that σ is not negative
    a, b, h2, gain, dy, goal = (one[..., None] for one in (a, b, h2, gain, sign * dy, np.abs(target)))
    both = np.sqrt(a * b)
    sigma, n = both * goal, both * dy
    unaligned = a * b * np.maximum(h2 * gain - dy**2, 0.0)
    # m + |n| and m − |n| without cancellation: half of (√(b·h2) ∓ √(a·d))², and what is not aligned.
    far = 0.5 * (b * h2 + a * gain) + np.abs(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = 0.5 * (np.sqrt(b * h2) - np.sqrt(a * gain)) ** 2 + np.where(
            unaligned > 0, unaligned / (both * (np.sqrt(h2 * gain) + np.abs(dy))), 0.0
        )
    plus, minus = np.where(n >= 0, far, near), np.where(n >= 0, near, far)

    # e^ψ = x/y, two linear equations with eigenvalues ±r; both are multiplied by e^{−rt}, so nothing overflows.
    r = np.sqrt(sigma**2 + plus * minus)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fade = np.where(r > 0, np.exp(-2 * r * times), 1.0)
        elapsed = np.where(r > 0, -np.expm1(-2 * r * times) / (2 * r), times)
        r_less_sigma = np.where(r + sigma > 0, plus * minus / (r + sigma), 0.0)
        x = 0.5 * (1 + fade) + (sigma + minus) * elapsed
        y = fade + (r_less_sigma + plus) * elapsed
        rising = np.where(plus > 0, plus * x / y, 0.0)
        falling = np.where(minus > 0, minus * y / x, 0.0)
        m, n_now = 0.5 * (rising + falling), 0.5 * (rising - falling)
        half = 0.5 * (b * h2 - a * gain)
        # b·h2 = m + half; where half is negative the sum cancels, and its product with m − half does not.
        found = np.where(half >= 0, m + half, (n_now**2 + unaligned) / (m - half)) / b
        signed = n_now / both
    return np.where(np.isfinite(found), found, 0.0), sign[..., None] * signed
