"""The rows of figures, and the jobs that give them."""
import dataclasses
import typing

from .servers import Need


@dataclasses.dataclass(frozen=True)
class Row:
    """What a figure is of. Two figures compare when their rows are equal."""
    part: str
    what: str
    less: bool = False  # is better

    def base(self):
        return self

    def less_is_better(self):
        return self.less

    def label(self):
        return self.what


@dataclasses.dataclass(frozen=True)
class Job:
    """One server, and what is asked of it: ask(server, program, options) gives {Row: figure}."""
    part: str
    models: tuple
    need: Need
    ask: typing.Callable
    rivals: bool = True


class Rows:
    """Collects the figures of a part; times become milliseconds."""

    def __init__(self, part):
        self.part, self.found = part, {}

    def more(self, what, value):
        self.found[Row(self.part, what)] = value

    def less(self, what, value):
        self.found[Row(self.part, what, True)] = value

    def ms(self, what, seconds):
        self.less(f"{what}, ms", max(seconds, 1e-6) * 1000)
