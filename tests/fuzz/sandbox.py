"""Inputs in a process of their own, with limits: what came of each.

The process is forked from this one, which has imported TensorFlow, h5py and trimesh but run
nothing of them. A process tries one input after another until one of them ends it. What went wrong
is tried again alone, and counts as it went then.
"""

import contextlib
import dataclasses
import gc
import os
import pathlib
import pickle
import re
import resource
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence

from utils.errors import UserError

SECONDS, BYTES = 10, 1 << 30  # of processor time and memory that an input may take
PATIENCE = 6  # times SECONDS may pass on the clock, since other processes may be busy
LONGEST = 1500  # characters of a message
RIGHT, REFUSED, WRONG = "right", "refused", "wrong"

Trial = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of an input: RIGHT (accepted, and what was read is sane), REFUSED or WRONG."""

    kind: str
    text: str = ""  # the line of the refusal; what is wrong
    details: str = ""  # the traceback


def judge(trials: Sequence[Trial]) -> list[Verdict]:
    """The verdict on each trial.

    A trial reads an input. It returns where it accepts it, after checking what it read by
    assertions, and raises a UserError of one line where it refuses it. Everything else is wrong.
    """
    verdicts: list[Verdict] = []
    while len(verdicts) < len(trials):
        verdicts += _verdicts(trials[len(verdicts) :])
    for number, verdict in enumerate(verdicts):
        if verdict.kind == WRONG and len(trials) > 1:
            verdicts[number] = _verdicts([trials[number]])[0]
    return verdicts


def _verdicts(trials: Sequence[Trial]) -> list[Verdict]:
    """The verdicts on the first trials, up to the one that ends the process."""
    receiver, sender = os.pipe()
    process = os.fork()
    if not process:
        os.close(receiver)
        _child(trials, sender)
    os.close(sender)
    with open(receiver, "rb", buffering=0) as pipe:
        verdicts = []
        for data in _messages(pipe.fileno(), len(trials)):
            if data is None:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return [*verdicts, Verdict(WRONG, f"takes more than {PATIENCE * SECONDS} s")]
            verdicts.append(Verdict(*pickle.loads(data)))
    _, status = os.waitpid(process, 0)
    if len(verdicts) == len(trials):
        return verdicts
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return [*verdicts, Verdict(WRONG, f"takes more than {SECONDS} s")]
    return [*verdicts, Verdict(WRONG, f"the process dies ({signal.Signals(number).name if number else status})")]


def _messages(pipe: int, count: int) -> Iterator[bytes | None]:
    """The messages of a child, each after its length; None where the next one does not come."""
    data = b""
    for _ in range(count):
        end = time.monotonic() + PATIENCE * SECONDS
        while len(data) < 8 or len(data) < 8 + int.from_bytes(data[:8], "little"):
            if not select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
                yield None
                return
            part = os.read(pipe, 1 << 16)
            if not part:
                return
            data += part
        length = int.from_bytes(data[:8], "little")
        yield data[8 : 8 + length]
        data = data[8 + length :]


def _child(trials: Sequence[Trial], sender: int) -> None:
    """Judge inputs in the child, then end the process."""
    try:
        noise = os.memfd_create("output")
        for stream in (1, 2):
            os.dup2(noise, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.simplefilter("ignore")
        for trial in trials:
            os.ftruncate(noise, 0)
            _limit()
            verdict = _tried(trial)
            written = os.pread(noise, 1 << 20, 0).decode(errors="replace")
            if "Traceback (most recent" in written:
                verdict = (WRONG, "a traceback on the terminal", written)
            data = pickle.dumps(verdict)
            os.write(sender, len(data).to_bytes(8, "little") + data)
    finally:
        os._exit(0)


def _limit() -> None:
    """Limit processor time and memory of the next input."""
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, resource.RLIM_INFINITY))
    times = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(times.ru_utime + times.ru_stime) + 1 + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _tried(trial: Trial) -> tuple[str, str, str]:
    try:
        trial()
        return RIGHT, "", ""
    except UserError as error:
        text, details = str(error), traceback.format_exc()
        if _lacks_memory(error):
            return WRONG, f"takes more than {BYTES >> 30} GB: {text[:200]}", details
        if "\n" in text or not text.strip() or len(text) > LONGEST:
            return WRONG, f"refused, not in one line of at most {LONGEST} characters: {text[:200]!r}", details
        return REFUSED, text, ""
    except BaseException as error:
        text = " ".join(str(error).split())[:200]
        return WRONG, f"{type(error).__name__}: {text}", traceback.format_exc()[-20_000:]


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an error was raised because of one about memory."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def place(verdict: Verdict) -> str:
    """Where something went wrong: the last line of the project in the traceback."""
    lines = re.findall(r'File "([^"]+)", line (\d+), in (\S+)', verdict.details)
    root = str(pathlib.Path(__file__).parents[2])
    ours = [line for line in lines if line[0].startswith(root) and "/tests/fuzz/sandbox" not in line[0]]
    ours = [line for line in ours if "site-packages" not in line[0]]
    if not ours:
        return ""
    path, line, function = ours[-1]
    return f"{pathlib.Path(path).relative_to(root)}:{line} {function}"


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keep what exists now out of the garbage collector, which would copy it in every child."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
