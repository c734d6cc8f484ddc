"""The speed of the machine itself, which measurements are compared with, and their report."""

import os
import pathlib
import platform
import resource
import statistics
import time

from utils.files import write_json

ROOT = pathlib.Path(__file__).parents[1]


def cpu_name() -> str:
    """The processor's name and number of cores."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def median_seconds(function, repeats=3, clock=time.perf_counter):
    """Median time of a function that returns when its work is done.

    It is called once before, for compilation. The clock may be cpu_seconds.
    """
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return statistics.median(times)


def matrix_rate(dtype, size=2048, clock=time.perf_counter):
    """Measured TFLOP/s of a square matrix product; with cpu_seconds those of one core."""
    import tensorflow as tf

    a = tf.cast(tf.random.normal((size, size)), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(a, a)[0], tf.float32)))
    return 2 * size**3 / median_seconds(lambda: float(product()), 5, clock) / 1e12


def matrix_rates():
    """matrix_rate of both types, for the report."""
    import tensorflow as tf

    return {"float32_tflops": matrix_rate(tf.float32), "bfloat16_tflops": matrix_rate(tf.bfloat16)}


def cpu_seconds():
    """CPU time of this process so far, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mb():
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(path, result):
    """Write a benchmark's JSON, and print it."""
    write_json(path, result)
    print("\n".join(f"{key:24s} {value}" for key, value in result.items()))
    print(f"results: {path}")
