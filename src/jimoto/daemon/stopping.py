"""Text that arrives in pieces: bytes become characters, a stop string ends it however it is cut.

Pure. It does not know tokens or models; the worker feeds it the bytes of each token.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from jimoto.daemon.thinking import held_back


class StopScanner:
    """Feed it bytes; it hands back text that cannot be part of a stop string any more.

    One kanji may be three tokens and a stop string may span two: both are held back until they are
    whole.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        text = self._decoder.decode(piece)
        if not self._stops:
            return text
        self._pending += text
        found = [at for stop in self._stops if (at := self._pending.find(stop)) >= 0]
        if found:
            self.stopped = True
            text, self._pending = self._pending[: min(found)], ""
            return text
        certain = len(self._pending) - max(held_back(self._pending, s) for s in self._stops)
        text, self._pending = self._pending[:certain], self._pending[certain:]
        return text

    def finish(self) -> str:
        """What was held back in vain; half a character at the very end is dropped, as in Ollama."""
        text, self._pending = self._pending, ""
        return text
