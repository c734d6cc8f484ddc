"""The type that networks compute in: float32, or bfloat16 on machines that are faster in it; in
training also float16, on request.

Weights are float32 in either. With AMX or AVX512-BF16 products in bfloat16 are up to four times
faster; a processor without them converts every number, and takes three times as long.
"""

import functools
import pathlib

import tensorflow as tf

CPU_INFO = pathlib.Path("/proc/cpuinfo")  # Linux; other systems have no such processors
EXTENSIONS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}  # of processors, by their flags in CPU_INFO
CAPABILITY = (8, 0)  # compute capability of NVIDIA's GPUs from which they have products in bfloat16


def chosen(precision: str) -> str:
    """One of models.choices.TRAINED_PRECISIONS -> "float32", "bfloat16" or "float16", the type that
    is computed in.
    """
    return _faster()[0] if precision == "auto" else precision


def described(precision: str) -> str:
    """The type that is computed in, and why, for the user."""
    faster, why = _faster()
    if precision == "auto":
        return f"{faster} ({why})"
    return f"{precision} (as asked{'' if precision in (faster, 'float16') else f'; {faster} is faster here: {why}'})"


@functools.cache
def _faster() -> tuple[str, str]:
    """The faster type on this machine, and the reason."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
        if all(capability and capability >= CAPABILITY for capability in capabilities):
            return "bfloat16", "the GPU has products in it"
        return "float32", "the GPU has no products in bfloat16"
    extensions = [name for flag, name in EXTENSIONS.items() if flag in processor_flags()]
    if extensions:
        return "bfloat16", f"the processor has {extensions[0]}"
    return "float32", f"the processor has neither {' nor '.join(EXTENSIONS.values())}"


def processor_flags() -> set[str]:
    """The flags of the processor, as Linux tells them; elsewhere none."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
