"""Shim for tools that look for setup.py; the metadata is in pyproject.toml."""

import setuptools

setuptools.setup()
