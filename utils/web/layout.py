"""The layout of the page, and serving it. Gradio 6.

Gradio reads its environment when it is imported, so it is imported after `prepare`.
"""

import os
import pathlib
import sys
import types
import urllib.request
from collections.abc import Sequence
from typing import Any

from utils.web.gate import Gate
from utils.web.jobs import Folders
from utils.web.page import AGE, WELCOME, Page
from utils.web.request import FORMATS, LEAST, MOST, Limits

VISITORS = 16  # who are served, or wait, at the same time: each takes a thread
READING = 2  # images that are read for a first look at the same time
PRIVATE = f"All stays on this computer, and is removed after {AGE // 3600} hour."
STYLE = """
.gradio-container { max-width: 1200px !important; width: 100%; margin: 0 auto !important }
.gradio-container > main { width: 100% }
#status { min-height: 3.6rem }
#status .bad { color: #b42318; font-weight: 600; overflow-wrap: anywhere }
.dark #status .bad { color: #ff8a7a }
#status ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem }
#status li { margin: 0; opacity: .45 }
#status li.now { opacity: 1; font-weight: 600 }
#status li.past { opacity: .8 }
#about table, #about tr, #about th, #about td { border: 0 !important }
#about table { border-collapse: collapse; width: 100%; margin: 0 }
#about th, #about td { text-align: left; vertical-align: top; padding: .1rem .8rem .1rem 0; overflow-wrap: anywhere }
#about th { font-weight: 600; white-space: nowrap }
#examples img { object-fit: contain; background: #fff }
#image img, #overlay img, #turntable img { width: 100%; height: 100%; object-fit: contain; padding-top: 1.6rem }
footer { display: none !important }
"""
# on a phone the status is far below the button
SHOW_STATUS = """() => {
    const status = document.getElementById("status"), box = status.getBoundingClientRect();
    if (box.top < 0 || box.top > innerHeight / 2) status.scrollIntoView({ behavior: "smooth", block: "start" });
}"""


def prepare(cache: pathlib.Path) -> None:
    """Set the environment of Gradio: it sends nothing anywhere and keeps its files in `cache`."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:  # settings of other pages
        del os.environ[name]
    os.environ |= {
        "GRADIO_TEMP_DIR": str(cache),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
    }
    # Gradio checks that its own server answers, which must not go through a proxy
    known = urllib.request.getproxies_environment().get("no", "")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, (known, "127.0.0.1", "localhost")))


def build(page: Page, examples: Sequence[pathlib.Path] = ()) -> Any:
    """Build the gradio.Blocks of a page.

    examples: images to click, inside the page's folders.
    """
    import gradio as gr

    most = f"Images can have {page.limits.bytes / 2**20:g} MB and {page.limits.pixels / 1e6:g} megapixels."
    hidden = {"visible": False, "interactive": False}
    with gr.Blocks(title="TexDISN: an image in, a model out", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(f"<h1>TexDISN</h1><p>An image of one object in, a coloured 3D model out. {PRIVATE} {most}</p>")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                file = gr.File(label="Image", height=160, elem_id="upload")
                shelf = _example_shelf(examples) if examples else None
                with gr.Accordion("Settings", open=False, elem_id="settings"):
                    controls = _controls()
                button = gr.Button("Reconstruct", variant="primary", elem_id="go")
                image = gr.Image(label="Image", height=280, buttons=["fullscreen"], elem_id="image", **hidden)
            with gr.Column(scale=3, min_width=300):
                status = gr.HTML(WELCOME, elem_id="status", container=True)
                model = gr.Model3D(
                    label="Model", height=440, clear_color=(0.93, 0.94, 0.95, 1), interactive=False, elem_id="model"
                )
                download = gr.DownloadButton("Download the model", interactive=False, elem_id="download")
                about = gr.HTML("", elem_id="about")
                with gr.Row():
                    overlay = gr.Image(
                        label="Model over the image",
                        height=240,
                        buttons=["fullscreen"],
                        scale=2,
                        elem_id="overlay",
                        **hidden,
                    )
                    turntable = gr.Image(
                        label="Turntable", height=240, buttons=["download"], scale=1, elem_id="turntable", **hidden
                    )
        components = {
            "status": status,
            "model": model,
            "download": download,
            "image": image,
            "overlay": overlay,
            "turntable": turntable,
            "about": about,
        }
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        file.change(page.look, file, [status, image], concurrency_limit=READING, **quiet)
        if shelf:
            shelf.click(lambda index: str(examples[index]), shelf, file, queue=False, **quiet)
        results = [components[name] for name in Page.RESULTS]
        button.click(page.reconstruct, [file, *controls], results, concurrency_limit=VISITORS, **quiet)
        button.click(None, js=SHOW_STATUS, **quiet)
    blocks.queue(api_open=False, max_size=4 * VISITORS)
    return blocks


def _example_shelf(examples: Sequence[pathlib.Path]) -> Any:
    """The gradio.Dataset of images to click."""
    import gradio as gr

    return gr.Dataset(
        components=[gr.Image(render=False)],
        samples=[[str(path)] for path in examples],
        type="index",
        label="Examples",
        elem_id="examples",
        samples_per_page=12,
    )


def _controls() -> list[Any]:
    """The components of the fields of a Request from `resolution` on, in their order."""
    import gradio as gr

    resolution = gr.Slider(
        LEAST, MOST, 128, step=16, label="Resolution", info="cells along an axis: twice as many take four times as long"
    )
    mesh_format = gr.Radio(
        [(words, name) for name, words in FORMATS.items()], value="glb", label="Format of the download"
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
    mask_file = gr.File(label="Mask file: white where the object is", height=160, visible=False, elem_id="mask_file")
    camera = gr.Radio([("estimated", "est"), ("by its angles", "angles")], value="est", label="Camera")
    azimuth = gr.Slider(0, 359, 0, step=1, label="Azimuth", info="0 front, 90 right, 180 back, 270 left", visible=False)
    elevation = gr.Slider(-85, 85, 20, step=1, label="Elevation", info="0 level, 90 from above", visible=False)
    quiet = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    mask.change(lambda choice: gr.update(visible=choice == "file"), mask, mask_file, **quiet)
    camera.change(lambda choice: [gr.update(visible=choice == "angles")] * 2, camera, [azimuth, elevation], **quiet)
    return [resolution, mesh_format, texture, colours, mask, mask_file, camera, azimuth, elevation]


def _print_refusal() -> None:
    """Print the error that is being handled in one line."""
    error = sys.exception()
    print(f"a request was refused: {' '.join(f'{type(error).__name__}: {error}'.split())[:300]}", file=sys.stderr)


def launch(blocks: Any, port: int, limits: Limits, folders: Folders, hosts: Sequence[str] = ()) -> Any:
    """Serve the page on this computer only, in a thread.

    Args:
        blocks: what `build` returns.
        port: of the address.
        limits: of uploads.
        folders: of the uploads.
        hosts: names under which the page may be asked for, beside those of this computer.

    Returns:
        What gradio.Blocks.launch returns; its second item is the address.

    Raises:
        OSError: the port is taken.
    """
    import gradio as gr
    from gradio import queueing, routes

    # what a visitor sends is checked by Gradio too, which would print a traceback
    queueing.traceback = routes.traceback = types.SimpleNamespace(print_exc=_print_refusal)
    functions = {number: len(function.inputs) for number, function in blocks.fns.items()}
    gate = {"hosts": hosts, "functions": functions, "upload_bytes": limits.bytes, "full": folders.full}
    # fonts of the system: Gradio's own theme loads its fonts from Google
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=False,
        max_file_size=limits.bytes,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        strict_cors=True,
        app_kwargs={"middleware": [(Gate, (), gate)]},
        theme=gr.themes.Default(primary_hue="blue", **fonts),
        css=STYLE,
    )
