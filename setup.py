"""Makes the six packages importable: pip install -e ."""

import pathlib

import setuptools

requirements = pathlib.Path(__file__).with_name("requirements.txt").read_text().splitlines()

setuptools.setup(
    name="texdisn",
    version="0.1.0",
    description="Single-view textured 3D reconstruction with an implicit field",
    packages=setuptools.find_packages(exclude=["tests", "tests.*"]),
    package_data={"preprocessing": ["info.json"], "models": ["pretrained/*", "pretrained/*/*"]},
    python_requires=">=3.11,<3.13",
    install_requires=[line for line in requirements if line and not line.startswith("#")],
    extras_require={"dev": ["pytest>=8,<10", "pytest-xdist>=3.6,<4", "playwright>=1.60,<2", "ruff>=0.6,<1"]},
)
