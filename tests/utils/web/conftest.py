"""A page without networks and without a browser."""

import os

import pytest

from tests.helpers.web import LIMITS, OctahedronReconstructor
from utils.rendering import turntable
from utils.web import page as web_page
from utils.web.jobs import Folders, Jobs
from utils.web.page import Page
from utils.web.serving import prepare


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A Page whose reconstructor makes octahedra."""
    monkeypatch.setattr(web_page, "POLL", 0.02)
    monkeypatch.setattr(turntable, "SIZE", 32)
    environment = dict(os.environ)
    (tmp_path / "root").mkdir()
    folders, jobs = Folders(tmp_path / "root", 3600), Jobs()
    prepare(folders.cache)
    result = Page(OctahedronReconstructor(), jobs, folders, LIMITS)
    yield result
    result.reconstructor.may_go_on.set()
    jobs.close()
    assert jobs.wait(20)
    folders.close()
    os.environ.clear()
    os.environ |= environment
