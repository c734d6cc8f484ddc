"""TensorFlow's start without lines about a GPU and oneDNN, on a machine without a GPU."""

import collections.abc
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import sys
import tempfile
import types

DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")  # of NVIDIA's and AMD's drivers, and of WSL
NOTES = re.compile(
    rb"cudart_stub|cuda_dso_loader|Could not find cuda|cuInit|cuda_diagnostics|absl::InitializeLog|TensorRT"
    rb"|oneDNN custom operations are on"  # on some of Intel's processors
)


@contextlib.contextmanager
def without_gpu_notes() -> collections.abc.Iterator[None]:
    """Leave lines about a missing GPU or oneDNN out of what is written to the standard error.

    All other lines appear when the block ends. On a machine with a GPU nothing is left out.
    """
    if any(pathlib.Path(device).exists() for device in DEVICES):
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not NOTES.search(line)))


class _QuietLoader(importlib.abc.Loader):
    """Loads TensorFlow, and lets it look for devices, without these lines."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        with without_gpu_notes():
            self.loader.exec_module(module)
            module.config.list_physical_devices()


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow, once, and has it loaded by a _QuietLoader."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


def start_tensorflow_quietly() -> None:
    """From now on, importing TensorFlow writes nothing about a GPU that is not there.

    A command cannot import it in a quiet block itself: it does so late, in one of several places.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides the notes of its start and its optimiser
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())
