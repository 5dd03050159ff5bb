"""Jimoto: local LLMs on one's own laptop. The few names that a notebook uses.

Importing this package opens no socket and reads no model; each name is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jimoto.checkup import doctor
    from jimoto.connection import connect, model

__all__ = ["connect", "doctor", "model"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        room = "jimoto.checkup" if name == "doctor" else "jimoto.connection"
        return getattr(import_module(room), name)
    raise AttributeError(f"module 'jimoto' has no attribute '{name}'")
