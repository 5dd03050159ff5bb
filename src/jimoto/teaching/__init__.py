"""What lessons and labs use to check, draw and show: a client of the server like any other.

The vocabulary that all lessons share; each name is loaded on first use:

    predict, reveal    commit to a number before a measurement, see both beside each other
    open_lab           a lab, with `lab.check`, `lab.hint`, `lab.data` and `lab.progress`
    check, hint        the same two of the lab that is open
    ____               the blank that a lab leaves: cells run, and the check says where it still is
    show_source        the code of a helper, where the helper is the subject
    offline            a block from which nothing of this kernel leaves this computer
    rate               k of n as a share with its 95 % interval
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jimoto.teaching.lab import check, hint, open_lab
    from jimoto.teaching.network import offline
    from jimoto.teaching.predictions import predict, reveal
    from jimoto.teaching.rates import rate
    from jimoto.teaching.sources import show_source

PLACES = {
    "check": "lab", "hint": "lab", "open_lab": "lab",
    "offline": "network",
    "predict": "predictions", "reveal": "predictions",
    "rate": "rates",
    "show_source": "sources",
    "____": "tasks",
}  # fmt: skip
__all__ = [
    "____",
    "check",
    "hint",
    "offline",
    "open_lab",
    "predict",
    "rate",
    "reveal",
    "show_source",
]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        from importlib import import_module

        return getattr(import_module(f"jimoto.teaching.{PLACES[name]}"), name)
    raise AttributeError(f"module 'jimoto.teaching' has no attribute '{name}'")
