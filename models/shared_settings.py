"""The settings that all networks share: the image and its encoder, the data, the training."""

import collections.abc
import dataclasses
import typing

from models.choices import ENCODER_INPUTS, ENCODERS, TRAINED_PRECISION_HELP, TRAINED_PRECISIONS
from models.settings import SavedSettings, setting
from utils.errors import UserError


def _only_with(name: str, *values: str) -> collections.abc.Callable[[typing.Any], str]:
    """Why a setting does nothing unless the setting `name` has one of the values; for setting()."""

    def reason(config: typing.Any) -> str:
        value = getattr(config, name)
        return "" if value in values else f"with {name} {value}"

    return reason


MOST_WEIGHTS = 1 << 30  # 4 GB: the original has 1.5e8
SMALLEST_CROP = 0.05  # a share of the image: far below it the cut-out square would not fit into memory


@dataclasses.dataclass(frozen=True)
class Settings(SavedSettings):
    """The settings that all networks share."""

    preset: str = setting("faithful", "the preset that gave the values without a flag", flag=False)

    # the image and its encoder
    img_h: int = setting(138, "image height the network works in, pixels", architecture=True, above=0, most=4096)
    img_w: int = setting(138, "image width the network works in, pixels", architecture=True, above=0, most=4096)
    alpha: bool = setting(
        False, "give the network the foreground mask as a fourth channel", architecture=True, needs_mask=True
    )
    crop: float = setting(
        0.0,
        "crop every view to its object, which takes this share of the image's side; 0 takes views as they are",
        architecture=True,
        least=0,
        most=1,
        needs_mask=True,
    )
    encoder: str = setting(
        "vgg16",
        "; ".join(f"{name}: {meaning}" for name, meaning in ENCODERS.items()),
        architecture=True,
        choices=ENCODERS,
    )
    num_classes: int = setting(1024, "channels of the global feature", architecture=True, above=0, most=1 << 16)
    encoder_size: int = setting(
        224,
        "the image is resized to this many pixels before the first convolution, a multiple of 32",
        architecture=True,
        above=0,
        most=2048,
        multiple=32,
        unused=_only_with("encoder", "vgg16"),
    )
    encoder_input: str = setting(
        "rgb",
        "what the encoder sees; without the flag that of the weights it starts from: "
        + "; ".join(f"{name} = {meaning}" for name, meaning in ENCODER_INPUTS.items()),
        architecture=True,
        choices=ENCODER_INPUTS,
        unused=_only_with("encoder", "vgg16"),
    )
    encoder_widths: tuple[int, ...] = setting(
        (64, 128, 256, 512, 512),
        "channels of the encoder's five blocks",
        architecture=True,
        length=5,
        unused=_only_with("encoder", "vgg16"),
    )
    encoder_convs: tuple[int, ...] = setting(
        (2, 2, 3, 3, 3),
        "convolutions of the encoder's five blocks",
        architecture=True,
        most=64,
        length=5,
        unused=_only_with("encoder", "vgg16"),
    )
    encoder_fc: int = setting(
        4096,
        "channels of fc6 and fc7",
        architecture=True,
        above=0,
        most=1 << 16,
        unused=_only_with("encoder", "vgg16"),
    )
    normalisation: bool = setting(
        False,
        "batch normalisation after every hidden layer",
        architecture=True,
        unused=lambda config: "with decoder residual" if getattr(config, "decoder", "") == "residual" else "",
    )

    # data
    db: str = setting("db", "folder of shards (preprocessing/gen_db.py)", resumable=True)
    category: str = setting("all", "all, or one category by name or synset id")
    num_sample_points: int = setting(2048, "points per image", inherited=True, above=0)
    cat_limit: int = setting(168000, "most samples of one category in an epoch", above=0)
    augcolorfore: bool = setting(
        False,
        "shift the colours of the foreground by up to 30/255 in each channel",
        inherited=True,
        needs_mask=True,
    )
    augcolorback: bool = setting(False, "a random background colour for every sample", inherited=True, needs_mask=True)
    backcolorwhite: bool = setting(False, "white background instead of black", inherited=True, needs_mask=True)
    auglight: bool = setting(False, "random brightness, contrast and tint of the image", inherited=True)
    augmirror: bool = setting(False, "mirror every other sample, image and object, left to right", inherited=True)
    augcolours: bool = setting(
        False, "recolour most samples, image and object alike, by a random affine map", inherited=True
    )

    # training
    batch_size: int = setting(20, "samples per step, over all devices", above=0)
    max_epoch: int = setting(200, "epochs", resumable=True, above=0)
    max_minutes: float = setting(
        0.0,
        "stop after so many minutes of training steps, 0 = no limit; a resumed run counts all its minutes",
        resumable=True,
        least=0,
    )
    optimizer: str = setting(
        "adam", "optimiser; adamw: with decoupled weight decay", choices=("adam", "adamw", "momentum")
    )
    learning_rate: float = setting(1e-4, "first learning rate", above=0)
    beta1: float = setting(
        0.5,
        "Adam's beta1",
        least=0,
        most=0.9999,
        unused=_only_with("optimizer", "adam", "adamw"),
    )
    momentum: float = setting(
        0.9,
        "momentum of the optimiser of that name",
        least=0,
        most=1,
        unused=_only_with("optimizer", "momentum"),
    )
    schedule: str = setting(
        "step",
        "the learning rate: step = in steps (the original); cosine = falls to 0 over max_epoch or max_minutes, "
        "whichever ends first",
        choices=("step", "cosine"),
    )
    warm_up: int = setting(
        0,
        "steps over which the learning rate rises at first",
        least=0,
        unused=_only_with("schedule", "cosine"),
    )
    decay_step: int = setting(
        200000,
        "samples after which the learning rate is multiplied by decay_rate",
        above=0,
        unused=_only_with("schedule", "step"),
    )
    decay_rate: float = setting(
        0.9,
        "factor of the learning rate",
        least=0,
        most=1,
        unused=_only_with("schedule", "step"),
    )
    encoder_rate: float = setting(
        1.0,
        "the encoder's learning rate over that of the rest",
        least=0,
        unused=_only_with("optimizer", "adam", "adamw"),
    )
    clip_gradient: float = setting(0.0, "largest norm of the gradient, 0 = any", least=0)
    averaging: float = setting(
        0.0,
        "validate and keep weights averaged over steps, exponentially with this factor, "
        "at first over a tenth of the steps so far; 0 = the last ones",
        least=0,
        most=1,
    )
    keep: str = setting(
        "best",
        "the weights to keep as best.h5: best = of the lowest validation loss; last = of the last epoch",
        choices=("best", "last"),
    )
    weight_decay: float = setting(
        1e-5, "factor of half the sum of squared kernels in the loss; adamw: its own decay", least=0, flag=False
    )
    precision: str = setting(
        "auto",
        TRAINED_PRECISION_HELP,
        choices=TRAINED_PRECISIONS,
        resumable=True,
    )
    seed: int = setting(0, "seed of weights, order and points", least=0, most=2**32 - 1)
    restore_model: str = setting("", "the source of the first weights", flag=False)

    @property
    def image_channels(self) -> int:
        return 4 if self.alpha else 3

    @classmethod
    def renamed(cls, values: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """The preset faithful was called full once, and the precision was a switch.

        That switch was off unless it was asked for, which says nothing about other machines.
        """
        values = {**values, "preset": "faithful"} if values.get("preset") == "full" else values
        if not isinstance(values.get("bfloat16"), bool):
            return values
        precision = "bfloat16" if values["bfloat16"] else "auto"
        return {"precision": precision, **{name: value for name, value in values.items() if name != "bfloat16"}}

    def check_size(self) -> None:
        count = self.encoder_weights() + self.other_weights()
        if count > MOST_WEIGHTS:
            raise UserError(
                f"the network would have some {count:.2g} weights, more than {MOST_WEIGHTS:.2g}: "
                "its sizes do not belong to a network of this kind"
            )

    def encoder_weights(self) -> int:
        """About how many weights the encoder has; the smaller kinds count as none."""
        if self.encoder != "vgg16":
            return 0
        count, before = 0, self.image_channels
        for width, convs in zip(self.encoder_widths, self.encoder_convs, strict=True):
            count, before = count + 9 * width * (before + (convs - 1) * width), width
        fc, kernel = self.encoder_fc, self.encoder_size // 32
        return count + kernel**2 * before * fc + fc * fc + fc * self.num_classes

    def other_weights(self) -> int:
        """About how many weights follow the encoder."""
        return 0

    def check(self) -> None:
        super().check()
        self.check_size()
        if 0 < self.crop < SMALLEST_CROP:
            raise UserError(f"crop {self.crop} must be 0, or at least {SMALLEST_CROP}")
        if self.encoder == "efficientnet_lite0" and (self.img_h % 32 or self.img_w % 32):
            raise UserError(
                f"img_h {self.img_h} and img_w {self.img_w} must be multiples of 32 for encoder {self.encoder}"
            )
