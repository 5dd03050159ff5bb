"""A real terminal in which a program types and reads: tmux, in a server of its own.

Knows nothing of Jimoto. Tests use it, and the recording in the README is made with it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

PROMPT = "@@"  # of the shell: nothing else prints it


class Terminal:
    """Somebody types, the screen can be read. Of `env` the shell gets everything."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        columns: int = 60,
        rows: int = 50,
        wait_seconds: float = 60.0,  # a bound for what hangs on a busy machine, no measurement
    ) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux")]
        self._wait_seconds = wait_seconds
        values = [f"{name}={value}" for name, value in env.items() if name != "TERM"]
        shell = ["env", "-i", *values, "TERM=screen", f"PS1={PROMPT} ", "LC_ALL=C.UTF-8"]
        shell += ["bash", "--norc", "--noprofile"]
        size = ["-x", str(columns), "-y", str(rows)]
        self._call("-u", "-f", os.devnull, "new-session", "-d", *size, *shell)
        self.wait_for(PROMPT)

    def _call(self, *args: str) -> str:
        done = subprocess.run([*self._tmux, *args], check=True, capture_output=True)
        return done.stdout.decode()

    def type(self, text: str) -> None:
        """Type a line, then Enter."""
        self._call("send-keys", "-l", text)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it: C-c, C-d, Up."""
        self._call("send-keys", key)

    def lines(self) -> list[str]:
        """What stands on the screen."""
        return self._call("capture-pane", "-p").rstrip().split("\n")

    def wait_for(self, text: str, times: int = 1) -> str:
        """The screen, once it shows a text that often."""
        end = time.monotonic() + self._wait_seconds
        while time.monotonic() < end:
            screen = "\n".join(self.lines())
            if screen.count(text) >= times:
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not come; the screen:\n{screen}")

    def close(self) -> None:
        """End everything that runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)
