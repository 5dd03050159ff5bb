"""The one shape in which every skill hands over its text. It knows no tokenizer and no template."""

from dataclasses import dataclass, replace

LANGS = ("en", "ja")


@dataclass(frozen=True)
class Message:
    role: str  # "system", "user", "assistant" or "tool"
    content: str


@dataclass(frozen=True)
class Sample:
    """One question with its right answer, and the conversation that leads to it."""

    skill: str
    lang: str
    question: str
    answer: str
    key: str = ""  # which fact or kind of question it is, for counting
    thought: str = ""  # written only when thinking is on
    before: tuple[Message, ...] = ()  # system prompt and earlier turns
    tools: tuple[str, ...] = ()  # "name(argument): description", as the template shows them
    copied: tuple[str, ...] = ()  # what the answer takes over letter by letter (`mame.pointers`)

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self.before, Message("user", self.question))

    def after(self, before: tuple[Message, ...]) -> "Sample":
        return replace(self, before=before)


def normalise(text: str) -> str:
    """Spaces at the ends and doubled ones do not count: ' a  b\\n' → 'a b'"""
    return " ".join(text.split())
