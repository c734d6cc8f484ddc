"""The layout of the page. Gradio 6, which is imported after `serving.prepare`."""

import pathlib
from collections.abc import Sequence
from typing import Any

from utils.mesh.simplify import FACES
from utils.web.camera_view import HIGHEST, LOWEST
from utils.web.page import AGE, EMPTY, WELCOME, Page
from utils.web.request import FORMATS, LEAST, MOST

VISITORS = 16  # who are served, or wait, at the same time: each takes a thread
READING = 2  # images that are read for a first look, or drawn again, at the same time
PRIVATE = f"All stays on this computer, and is removed after {AGE // 3600} hour."
FACE_COUNTS = (5_000, FACES, 50_000)  # to choose among
# events that are no work: without a place in the queue, and without signs of progress
AT_ONCE = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
QUIET = {"api_visibility": "private", "show_progress": "hidden"}
STYLE = """
.gradio-container { max-width: 1200px !important; width: 100%; margin: 0 auto !important }
.gradio-container > main { width: 100% }
#notice .bad, #status .bad { color: #b42318; font-weight: 600; overflow-wrap: anywhere }
.dark #notice .bad, .dark #status .bad { color: #ff8a7a }
#status { min-height: 3.6rem; scroll-margin-top: .6rem }
#status progress { appearance: none; width: 100%; height: .6rem; border: 0; background: #d4d4d8 }
#status progress::-webkit-progress-bar { background: #d4d4d8 }
#status progress::-webkit-progress-value { background: #2563eb }
#status progress::-moz-progress-bar { background: #2563eb }
@media (max-width: 700px) { #results { min-height: 100vh } }  /* else nothing could move to the top */
#about table, #about tr, #about th, #about td { border: 0 !important }
#about table { border-collapse: collapse; width: 100%; margin: 0 }
#about th, #about td { text-align: left; vertical-align: top; padding: .1rem .8rem .1rem 0; overflow-wrap: anywhere }
#about th { font-weight: 600; white-space: nowrap }
#examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: .5rem }
#examples button { flex-direction: column; min-width: 0; padding: .3rem; font-weight: 400 }
#examples img { width: 100%; height: 56px; margin: 0; object-fit: contain; background: #fff }
#overlay { overflow: hidden }
#overlay img { width: 100%; height: auto }
@media (max-width: 700px) {  /* its right half */
    #overlay img { width: 200%; max-width: none; margin-left: -100%; clip-path: inset(0 0 0 50%) }
}
#turntable img { width: 100%; height: 100%; object-fit: contain; padding-top: 1.6rem }
footer { display: none !important }
"""
# on a phone the results are below the screen. At once: what appears meanwhile would stop a smooth
# movement.
SHOW_RESULTS = '() => document.getElementById("status").scrollIntoView({ block: "start" })'

# Gradio's viewer puts itself before everything else in the order of the Tab key and has no name;
# while it is empty it has a name, which is not allowed without a role.
NAME_VIEWER = """() => new MutationObserver(() => {
    document.querySelector("#model [aria-label='Empty value']")?.setAttribute("role", "img");
    const canvas = document.querySelector("#model canvas[tabindex='1']");
    if (!canvas) return;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The model; the arrow keys turn it");
}).observe(document.getElementById("results"), { subtree: true, childList: true, attributeFilter: ["tabindex"] })"""


def build(page: Page, examples: Sequence[pathlib.Path] = (), knows: str = "") -> Any:
    """Build the gradio.Blocks of a page.

    Args:
        page: its handlers.
        examples: images to click, inside the page's folders.
        knows: the kinds of objects that the networks know, a sentence.
    """
    import gradio as gr

    most = f"Images can have {page.limits.bytes / 2**20:g} MB and {page.limits.pixels / 1e6:g} megapixels."
    with gr.Blocks(title="TexDISN: an image in, a model out", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(f"<h1>TexDISN</h1><p>An image of one object in, a coloured 3D model out. {knows}</p>")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                image = _upload("Image", "upload")
                notice = _spoken(WELCOME, "notice")
                button = gr.Button("Reconstruct", variant="primary", elem_id="go")
                if examples:
                    _examples(examples, image)
                with gr.Accordion("Settings", open=False, elem_id="settings"):
                    settings, mask_file = _settings()
                gr.HTML(f"<p>{PRIVATE} {most}</p>")
            with gr.Column(scale=3, min_width=300, elem_id="results"):
                status = _spoken(EMPTY, "status")
                stop = gr.Button("Stop", elem_id="stop", visible=False)
                shown = _results()
        blocks.load(None, js=NAME_VIEWER, **AT_ONCE)
        camera_view, reconstructed = gr.State(time_to_live=AGE), gr.State(time_to_live=AGE)
        estimated, turned = gr.State("est"), gr.State("angles")
        state = {"camera_view": camera_view, "reconstructed": reconstructed}
        components = {"status": status, "go": button, "stop": stop, **state, **shown}
        angles, results = [shown["azimuth"], shown["elevation"]], [components[name] for name in Page.RESULTS]
        image.change(page.look, image, [notice, image, shown["camera"]], concurrency_limit=READING, **QUIET)
        image.clear(lambda: WELCOME, None, notice, **AT_ONCE)
        mask_file.change(page.look_at_mask, mask_file, [notice, mask_file], concurrency_limit=READING, **QUIET)
        running = []
        # the result's image, not the one in the box: that may be another one by now
        for start, source, camera in ((button, image, estimated), (shown["again"], reconstructed, turned)):
            inputs = [source, camera, *settings, *angles]
            start.click(None, js=SHOW_RESULTS, **AT_ONCE)  # before the other one, or it waits for its end
            run = start.click(page.reconstruct, inputs, results, concurrency_limit=VISITORS, **QUIET)
            # Gradio does this after Stop too, and not before it takes the next press
            run.then(page.ready, status, [status, shown["model"], button, stop], **AT_ONCE)
            running.append(run)
        stop.click(None, cancels=running, **AT_ONCE)
        for slider in angles:
            slider.input(
                page.turn,
                [camera_view, *angles],
                shown["overlay"],
                trigger_mode="always_last",
                concurrency_limit=READING,
                **QUIET,
            )
    blocks.queue(api_open=False, max_size=4 * VISITORS)
    return blocks


def _upload(label: str, name: str, **options: Any) -> Any:
    """A box for an image file, which it shows at once; its value is the path of the upload."""
    import gradio as gr

    # Gradio would decode the file: without its transparency, and broken ones in words of its own
    gr.Image.preprocess = lambda _, payload: payload and payload.path
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        height=260,
        buttons=[],
        elem_id=name,
        alt_text=f"{label}: what you have chosen",
        **options,
    )


def _spoken(words: str, name: str) -> Any:
    """A box of words that screen readers read whenever they change."""
    import gradio as gr

    return gr.HTML(words, elem_id=name, container=True, html_template="<div role='status'>${value}</div>")


def _examples(paths: Sequence[pathlib.Path], image: Any) -> None:
    """Buttons that choose an example as the image."""
    import gradio as gr

    gr.HTML("<h2>Examples to try</h2>")
    with gr.Row(elem_id="examples"):
        for path in paths:
            example = gr.Button(path.stem.replace("_", " "), icon=str(path), size="sm", min_width=0)
            example.click(lambda chosen=str(path): chosen, None, image, **AT_ONCE)


def _settings() -> tuple[list[Any], Any]:
    """The components of the fields of a Request from `format` to `mask_file`, in their order.

    And that of the mask file.
    """
    import gradio as gr

    mesh_format = gr.Radio(
        [(words, name) for name, words in FORMATS.items()], value="glb", label="Format of the download"
    )
    faces = gr.Radio(
        [*((f"{count:,}", count) for count in FACE_COUNTS), ("all", 0)],
        value=FACES,
        label="Faces of the model",
        info="fewer make a smaller file; the texture keeps the detail",
    )
    resolution = gr.Slider(
        LEAST, MOST, 128, step=16, label="Resolution", info="cells along an axis: twice as many take four times as long"
    )
    texture = gr.Radio(
        [("as it suits the format", "auto"), ("at the vertices", "vertex"), ("a texture (GLB, OBJ)", "atlas")],
        value="auto",
        label="Colours",
    )
    colours = gr.Radio(
        [("the image's, where it shows the model", "photo"), ("the network's alone", "field")],
        value="photo",
        label="Source of colours",
    )
    mask = gr.Radio(
        [
            ("auto: find the object", "auto"),
            ("alpha: the image's transparency", "alpha"),
            ("none: the whole image is the object", "none"),
            ("a mask file", "file"),
        ],
        value="auto",
        label="Mask",
    )
    mask_file = _upload("Mask file: white where the object is", "mask_file", visible=False)
    mask.change(lambda choice: gr.update(visible=choice == "file"), mask, mask_file, **AT_ONCE)
    return [mesh_format, faces, resolution, texture, colours, mask, mask_file], mask_file


def _results() -> dict[str, Any]:
    """The components that show a result, by their names in Page.RESULTS; hidden until there is one.

    And "again", the button that reconstructs with the angles.
    """
    import gradio as gr

    model = gr.Model3D(
        label="Model",
        height="min(440px, 90vw)",  # not higher than wide: the viewer fits models to its height
        clear_color=(0.93, 0.94, 0.95, 1),
        interactive=False,
        elem_id="model",
        visible=False,
    )
    download = gr.DownloadButton("Download the model", elem_id="download", visible=False)
    about = gr.HTML("", elem_id="about")
    with gr.Column(visible=False, elem_id="camera") as camera:
        gr.HTML(
            "<h2>Is it turned as in the image?</h2><p>The arrow points to what was taken for the object's front. "
            "If that is wrong, move the sliders until the arrow points to its front.</p>"
        )
        overlay = gr.HTML("", elem_id="overlay")
        azimuth = gr.Slider(0, 359, 0, step=1, label="Seen from", info="degrees: 0 front, 90 right, 180 back, 270 left")
        elevation = gr.Slider(LOWEST, HIGHEST, 20, step=1, label="Height", info="degrees: 0 level, 85 from above")
        again = gr.Button("Reconstruct as turned here", elem_id="again")
    turntable = gr.Image(
        label="From all sides",
        height=240,
        buttons=["download"],
        interactive=False,
        elem_id="turntable",
        visible=False,
        alt_text="The model, turning",
    )
    return {
        "model": model,
        "download": download,
        "about": about,
        "camera": camera,
        "overlay": overlay,
        "azimuth": azimuth,
        "elevation": elevation,
        "again": again,
        "turntable": turntable,
    }
