"""The page of a report from results alone: which means are bold, nested tables, plots."""

import dataclasses
import os
import re

import pytest

from tests.helpers.html_page import ParsedPage
from utils.metrics import registry
from utils.metrics.summary import summarise
from utils.reports.elements import nested_tables, text
from utils.reports.html import Report, page
from utils.reports.images import Card
from utils.reports.plots import line_plot

ROW = {"category": "box", "object_id": "a", "view": "00", "failed": None, "no_mesh": None}


def report(values, name, **results):
    """A Report of one image whose metric `name` is {method: value}."""
    tables = {method: [{**ROW, name: value}] for method, value in values.items()}
    results = {
        "step": 3,
        **results,
        "weights": {"file": "best.h5"},
        "split": "test",
        "metrics": [name],
        "definitions": registry.definitions([name]),
        "images": tables,
        "results": {method: summarise(rows, [name]) for method, rows in tables.items()},
    }
    return Report(run="run", results=results)


@pytest.mark.parametrize(
    ("name", "direction", "best"), [("chamfer_l1", "lower", "1.000"), ("volume_iou", "higher", "2.000")]
)
def test_the_best_mean_is_bold_and_true_voxels_never_are(name, direction, best):
    values = {"prediction": 2.0, "prediction, estimated cameras": 1.0, "true voxels": 0.1}
    if direction == "higher":
        values["true voxels"] = 3.0
    source = page(report(values, name))
    assert set(re.findall(r"<strong>([\d.]+)", source)) == {best}
    assert f"{direction} is better" in source


@pytest.mark.parametrize("distance", [0.99, 1.25, None])
def test_images_unlike_those_of_the_training_are_marked(distance):
    shown = report({"prediction": 0.5}, "iou")
    row = {**shown.results["images"]["prediction"][0], "distance": distance}
    shown.results["images"]["prediction"][0] = row
    card = Card(label="best", row=row, image="", predicted=(), truth=(), lacking="not stored")
    marks = page(dataclasses.replace(shown, cards=[card])).count("unlike the images of the training: 1.25 times")
    assert marks == (2 if distance == 1.25 else 0)  # in the gallery, and in the list of all images


def test_other_weights_on_other_images_are_no_comparison():
    shown, same, other = (report({"prediction": 0.5}, "iou", step=step).results for step in (3, 1, 2))
    other["images"]["prediction"] = [{**ROW, "view": view, "iou": 0.5} for view in ("00", "01")]
    other["results"]["prediction"] = summarise(other["images"]["prediction"], ["iou"])
    source = page(dataclasses.replace(report({"prediction": 0.5}, "iou"), results=shown, earlier=[same, other]))
    steps = [row[0] for row in ParsedPage(source).rows("earlier")]
    assert steps == ["step", "1", "2 (other images: 2)", "3 (this page)"]


def test_cameras_have_a_section():
    source = page(report({"prediction": 0.5}, "iou", cameras={"angle": {"median": 2.5}}))
    assert ["median", "2.5"] in ParsedPage(source).rows("cameras")
    assert not ParsedPage(page(report({"prediction": 0.5}, "iou"))).rows("cameras")


def test_names_that_turn_the_direction_of_a_text_are_shown_by_their_code():
    """Else the caption of such an object would be reversed, with what follows it in the line."""
    shown = "".join(map(text, ["ab\u202ecd", "\u2066x\u2069", "\u200fa\u061c", os.fsdecode(b"\xff"), "אב ä 椅"]))
    assert shown == r"ab\u202ecd\u2066x\u2069\u200fa\u061c\udcffאב ä 椅"
    shown.encode("utf-8")


def test_nested_tables():
    cameras = {
        "images": 12,
        "kind": "<dlt>",
        "angle": {"median": 2.5, "mean": 3.0},
        "shift": {"median": 0.1, "unit": "pixels"},
    }
    parsed = ParsedPage(nested_tables(cameras))
    assert parsed.tables[0][1] == [["images", "12"], ["kind", "<dlt>"]]
    assert parsed.tables[1][1] == [
        ["", "median", "mean", "unit"],
        ["angle", "2.5", "3", ""],
        ["shift", "0.1", "", "pixels"],
    ]
    assert len(ParsedPage(nested_tables({"a": {"b": {"c": 1.0}}})).tables) == 1


def test_plots_are_reproducible_and_escaped():
    def plot(name):
        lines = {"a": [1.0, None, 3.0]}
        return line_plot(name, "$<b>$", "epoch", [1, 2, 3], lines, {"a": "#0072b2"}, marked=2)

    assert plot("one") == plot("one") and "<b>" not in plot("one")
    ids = [set(re.findall(r' id="([^"]+)"', plot(name))) for name in ("one", "two")]
    assert ids[0] and not ids[0] & ids[1]


@pytest.mark.parametrize("epochs", [[7], [1, 2], list(range(1, 300))])
def test_epochs_are_labelled_with_whole_numbers(epochs):
    source = line_plot("one", "loss", "epoch", epochs, {"a": [1.0] * len(epochs)}, {"a": "#0072b2"})
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", source.partition(">epoch<")[0])
    assert labels and all(label.isdigit() for label in labels)
