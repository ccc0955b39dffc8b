"""The parts of a comparison: which jobs they are, and the rows of figures that a job gives."""
import contextlib
import dataclasses
import os
import pathlib
import resource
import subprocess
import sys
import time

PARTS = ("prompt", "generation", "batch", "depth", "load", "busy")


@dataclasses.dataclass(frozen=True)
class Row:
    """What a figure is of. Two figures compare when their rows are equal."""
    part: str
    kind: str           # "prompt", "generate", "first token", "peak memory"
    tokens: int = 0
    batch: int = 1
    depth: int = 0
    threads: int = 0
    busy: bool = False

    def base(self):
        """The row that this one is a multiple of; itself where there is none."""
        return dataclasses.replace(self, batch=1, depth=0, busy=False)

    def less_is_better(self):
        return self.part == "load"

    def label(self):
        words = [self.kind] + ([str(self.tokens)] if self.tokens else [])
        if self.part == "batch":
            words.append(f"x{self.batch}")
        if self.part == "depth":
            words.append(f"at {self.depth}")
        if self.part == "busy":
            words += [f"{self.threads} thread{'s' * (self.threads > 1)},",
                      "a core taken" if self.busy else "quiet"]
        return {"first token": "first token, s", "peak memory": "peak memory / file"}.get(
            self.kind, " ".join(words))


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of each program; `batches` and `load` choose another question than its speed."""
    part: str
    prompt: int = 0
    generate: int = 0
    depth: int = 0
    threads: int = 2
    busy: bool = False
    batches: tuple = ()
    load: bool = False

    def ask(self, program, model):
        """{Row: figure}"""
        with busy_core() if self.busy else contextlib.nullcontext():
            if self.load:
                return self.ask_load(program, model)
            if self.batches:
                found = program.batch(model, self, self.batches)
                return {self.row("generate", self.generate, batch=b): v for b, v in found.items()}
            found = program.speed(model, self)
        wanted = {"prompt": self.prompt, "generate": self.generate}
        return {self.row(kind, wanted[kind]): v for kind, v in found.items() if wanted[kind]}

    def ask_load(self, program, model):
        done = program.first_token(model, self.threads)
        return {self.row("first token", 0): done.seconds,
                self.row("peak memory", 0): done.peak_bytes / model.stat().st_size}

    def row(self, kind, tokens, batch=1):
        return Row(self.part, kind, tokens, batch, self.depth, self.threads, self.busy)


@contextlib.contextmanager
def busy_core():
    """Another process that never sleeps, held on the first core of this process. It ends with the
    block, and with this process should that be killed."""
    spin = ("import os\n"
            "if hasattr(os, 'sched_setaffinity'):\n"
            "    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            f"while os.getppid() == {os.getpid()}:\n"
            "    for _ in range(1000000): pass")
    other = subprocess.Popen([sys.executable, "-c", spin])
    try:
        yield
    finally:
        other.kill()
        other.wait()


class Neighbours:
    """What other processes of the machine, or its host, took while the block ran: `.cores`, 0.5 for
    half of one. 0 where /proc/stat is not there."""

    def __enter__(self):
        self.start, self.before = time.monotonic(), self.others()
        return self

    def __exit__(self, *_):
        self.cores = (self.others() - self.before) / (time.monotonic() - self.start)

    @staticmethod
    def others():
        """Seconds of processors, less those of this process and of its children that ended."""
        stat = pathlib.Path("/proc/stat")
        if not stat.exists():
            return 0.0
        user, nice, system, _, _, irq, soft, steal = map(int, stat.read_text().split()[1:9])
        spent = (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            spent -= usage.ru_utime + usage.ru_stime
        return spent


def jobs_of(options):
    """The jobs of a round, in order."""
    parts, threads = options.parts, options.threads
    jobs = []
    prompt = options.prompt if "prompt" in parts else 0
    generate = options.gen if "generation" in parts else 0
    if prompt or generate:
        jobs.append(Job("speed", prompt, generate, threads=threads))
    if "batch" in parts:
        jobs.append(Job("batch", 0, options.gen, threads=threads, batches=tuple(options.batches)))
    if "depth" in parts:
        jobs += [Job("depth", options.prompt, options.gen, depth, threads)
                 for depth in (0, options.depth)]
    if "load" in parts:
        jobs.append(Job("load", threads=threads, load=True))
    if "busy" in parts:
        jobs += [Job("busy", 0, options.gen, threads=t, busy=busy)
                 for t in sorted({1, threads}) for busy in (False, True)]
    return jobs
