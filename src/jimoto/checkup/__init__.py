"""Is this computer ready for the lessons? `jimoto doctor`, and `jimoto.doctor()` in a notebook.

`inspection` looks, `verdict` decides, `words` says it in two languages, `room` puts the reports of
many machines into one table. What is looked at is what a lesson needs; who sits there is no part
of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from jimoto.checkup.facts import Facts
from jimoto.checkup.inspection import examine
from jimoto.checkup.verdict import Verdict, judge
from jimoto.checkup.words import page_text
from jimoto.errors import language


@dataclass(frozen=True, repr=False)
class Checkup:
    """What was found and what follows; printed, it is the page that `jimoto doctor` prints."""

    facts: Facts

    @property
    def verdict(self) -> Verdict:
        """'ready', 'mame' or 'not', with the command that comes next."""
        return judge(self.facts)

    def as_json(self) -> dict[str, Any]:
        """The report for a room's table: no name, no address, no path in it."""
        return self.facts.as_json()

    def text(self, lang: str) -> str:
        """The page in 'en' or 'ja'."""
        return page_text(self.facts, lang)

    def __repr__(self) -> str:
        return self.text(language())


def doctor(online: bool = False) -> Checkup:
    """Look at this computer: machine, kit, server, ports, proxies, disk. Changes and sends nothing.

    Takes at most a few seconds; what does not answer in time is reported as that. Only
    `online=True` tries the network.
    """
    return Checkup(examine(os.environ, online))
