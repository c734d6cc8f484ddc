"""A training step, in seconds per image.

    python benchmarks/train_step.py --out train_step.json
    python benchmarks/train_step.py --preset plus --out train_step_plus.json

For any other preset than faithful:

step_s             the step, in the preset's own precision
multiply_adds      of an image, forward: all layers with weights as they are stated
share              the rate at which the step computes them, over that of a bare matrix product in
                   the same run; forward and backward are three times the forward pass. Work that is
                   saved counts as done
step_cpu_s, cpu_share
                   the same in CPU time, which other work on the machine changes less; what one core
                   does while the other waits costs nothing here

For faithful, the full-size network:

original_s         float32 step of benchmarks/original.py, Adam included
float32_s          our step in float32
bfloat16_s         our step in bfloat16
encoder_s          bare encoder in bfloat16: VGG16 in plain TensorFlow operations, forward and
                   backward
decoder_products_s the decoders' products, forward and backward, at the machine's measured matrix
                   rate in bfloat16
our_encoder_s, reading_s, decoders_s
                   parts of our bfloat16 step, each measured alone, forward and backward: the
                   encoder, reading the maps at the points, the decoder streams given their
                   features; the rest of bfloat16_s is weight decay and Adam
above_bare         bfloat16_s over encoder_s + decoder_products_s
ratio              original_s over bfloat16_s
"""

import dataclasses
import functools

from benchmarks.machine import matrix_rates, peak_rss_mb, report
from models.config import Config
from models.presets import PRESETS, preset
from utils.cli import parser, run, whole_number


def main(argv):
    p = parser(__doc__)
    p.add_argument("--preset", choices=PRESETS, default="faithful", help="whose step is measured")
    p.add_argument("--batch_size", type=whole_number(1), help="images in a step (default: 20, or the preset's own)")
    p.add_argument("--num_sample_points", type=whole_number(1), help="points per image (default: 2048; likewise)")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)

    import tensorflow as tf

    from benchmarks import step_parts
    from models.training.field_trainer import FieldTrainer

    sizes = {"batch_size": args.batch_size, "num_sample_points": args.num_sample_points}
    if args.preset != "faithful":
        config = preset(args.preset, **{name: size for name, size in sizes.items() if size})
        report(args.out, {"preset": args.preset, **step_parts.preset_step(config)})
        return
    config = Config(
        batch_size=args.batch_size or 20, num_sample_points=args.num_sample_points or 2048, precision="float32"
    )
    coarse = dataclasses.replace(config, precision="bfloat16")
    batch, strategy = step_parts.random_batch(config), tf.distribute.get_strategy()
    result = {"batch_size": config.batch_size, "num_sample_points": config.num_sample_points}
    make = {
        "bfloat16_s": functools.partial(FieldTrainer, coarse, strategy),
        "float32_s": functools.partial(FieldTrainer, config, strategy),
        "original_s": functools.partial(step_parts.OriginalTrainer, config, strategy),
    }
    for key, trainer in make.items():  # one network at a time: each has 1.7 GB of weights and moments
        result[key] = step_parts.step_seconds(trainer(), batch)
        print(f"{key:20s} {result[key]:.3f}", flush=True)
        result[key.replace("_s", "_peak_rss_mb")] = peak_rss_mb()
    result |= step_parts.part_seconds(FieldTrainer(coarse, strategy).network, batch)
    rates = matrix_rates()
    result["encoder_s"] = step_parts.encoder_seconds(config)
    result["decoder_products_s"] = 3 * 2 * step_parts.decoder_products(config) / (rates["bfloat16_tflops"] * 1e12)
    result["above_bare"] = result["bfloat16_s"] / (result["encoder_s"] + result["decoder_products_s"])
    result["ratio"] = result["original_s"] / result["bfloat16_s"]
    result |= rates
    report(args.out, result)


if __name__ == "__main__":
    run(main)
