"""`rate`: k of n as a share with its 95 % interval, because 18 of 20 is not "90 %"."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z = 1.959964  # of the normal distribution: 95 % lie within ± Z


@dataclass(frozen=True)
class Rate:
    """`right` of `n`, and between which shares the true one probably lies (0 to 1)."""

    right: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.right / self.n

    def __str__(self) -> str:
        return (
            f"{self.right}/{self.n} = {100 * self.share:.0f} % "
            f"({100 * self.low:.0f}-{100 * self.high:.0f} %)"
        )

    __repr__ = __str__


def rate(right: int, n: int) -> Rate:
    """The share and Wilson's 95 % interval, which also holds for small n and for 0 of n.

    Errors: ValueError unless 0 <= right <= n and n > 0.

    >>> rate(18, 20)
    18/20 = 90 % (70-97 %)
    >>> rate(0, 20)
    0/20 = 0 % (0-16 %)
    """
    if n <= 0 or not 0 <= right <= n:
        raise ValueError(f"{right} of {n} is no rate")
    share, spread = right / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return Rate(right, n, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
