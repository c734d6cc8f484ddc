"""The page of eval/web_demo.py: its layout, and what happens when a visitor does something. Gradio 6."""

import html
import os
import pathlib
import shutil
import tempfile
import time
import traceback
import urllib.request

from utils.errors import UserError
from utils.web.jobs import Ended
from utils.web.request import FORMATS, LEAST, MOST, Request, answer, read_upload, sentence, shown

AGE = 3600  # seconds after which files of visitors go away
VISITORS = 16  # who wait or are served at once: each has a thread
READING = 2  # pictures that are read for a first look at once
POLL = 0.5  # seconds
STEPS = {
    "read": "Reading the picture", "mask": "Finding the object", "camera": "Estimating the camera", "image": "Looking at the picture",
    "level": "Finding the level of the surface", "mesh": "Asking the field for the surface", "texture": "Writing the model",
    "pictures": "Drawing the pictures",
}  # fmt: skip
WELCOME = "Drop a picture of one object, or click an example; then press <b>Reconstruct</b>."
DONE = "Done: turn the model with the mouse or a finger."
PRIVATE = f"All stays on this computer, and goes away after {AGE // 3600} hour."
BROKEN = "Something went wrong here, and not with your picture: the terminal of the server says what."
STYLE = """
.gradio-container { max-width: 1200px !important; width: 100%; margin: 0 auto !important }
.gradio-container > main { width: 100% }
#status { min-height: 3.6rem } #status .bad { color: #b42318; font-weight: 600; overflow-wrap: anywhere }
.dark #status .bad { color: #ff8a7a } #status ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem }
#status li { margin: 0; opacity: .45 } #status li.now { opacity: 1; font-weight: 600 } #status li.past { opacity: .8 }
#about table, #about tr, #about th, #about td { border: 0 !important }
#about table { border-collapse: collapse; width: 100%; margin: 0 }
#about th, #about td { text-align: left; vertical-align: top; padding: .1rem .8rem .1rem 0; overflow-wrap: anywhere }
#about th { font-weight: 600; white-space: nowrap } #examples img { object-fit: contain; background: #fff }
#picture img, #overlay img, #turntable img { width: 100%; height: 100%; object-fit: contain; padding-top: 1.6rem }
footer { display: none !important }
"""

SHOW_STATUS = """() => {
    const status = document.getElementById("status"), box = status.getBoundingClientRect();
    if (box.top < 0 || box.top > innerHeight / 2) status.scrollIntoView({ behavior: "smooth", block: "start" });
}"""


def prepare(cache):
    """What Gradio reads when it is imported: nothing of it leaves this computer, its files go into `cache`."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:  # settings of somebody else's page
        del os.environ[name]
    os.environ |= {
        "GRADIO_TEMP_DIR": str(cache),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
    }
    # Gradio asks its own server whether it is there: not through a proxy
    known = urllib.request.getproxies_environment().get("no", "")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, (known, "127.0.0.1", "localhost")))


def bad(text):
    """A sentence of any content -> HTML."""
    return f"<span class='bad'>{html.escape(text)}</span>"


def progress(job, seconds):
    """HTML: the steps of a job, or how many come before it."""
    before = job.before()
    if before:
        return f"Waiting: {before} {'picture is' if before == 1 else 'pictures are'} reconstructed before yours ({seconds:.0f} s)."
    begun, steps = [name for name in job.stages if name in STEPS], []
    for name, words in STEPS.items():
        state = "" if name not in begun else "now" if name == begun[-1] else "past"
        mark = {"": "○", "now": "●", "past": "✓"}[state]
        steps.append(f"<li class='{state}'>{mark} {words}</li>")
    return f"<ol>{''.join(steps)}</ol>"


class Page:
    """The handlers: what they give goes to the page's components of the same names."""

    RESULTS = ("status", "model", "download", "picture", "overlay", "turntable", "about")

    def __init__(self, reconstructor, jobs, folders, limits):
        self.reconstructor, self.jobs, self.folders, self.limits = reconstructor, jobs, folders, limits

    def look(self, path):
        """A picture was chosen, or taken away: it is shown, or why it cannot be used."""
        import gradio as gr

        if path is None:
            return WELCOME, gr.update(value=None, visible=False)
        try:
            photo = read_upload(path, self.limits)[1]
        except UserError as error:
            return bad(sentence(error)), gr.update(value=None, visible=False)
        except Exception:
            traceback.print_exc()
            return bad(BROKEN), gr.update(value=None, visible=False)
        told = html.escape(" ".join([*map(sentence, photo.notes), "Press"])) + " <b>Reconstruct</b>."
        return told, gr.update(value=shown(photo), visible=True, label="Picture")

    def reconstruct(self, *controls):
        """A generator of what changes on the page, from the press of the button to the result. Controls: the fields of a Request."""
        import gradio as gr

        request = Request(*controls)
        none = gr.update(value=None, visible=False)
        yield self._changes(
            status="Starting …",
            model=None,
            download=gr.update(interactive=False),
            overlay=none,
            turntable=none,
            about="",
        )
        folder = tempfile.mkdtemp(dir=self.folders.requests)
        job, start = None, time.monotonic()
        try:
            request.check()
            job = self.jobs.start(lambda tell: self._work(request, folder, tell))
            while not job.done(POLL):
                yield self._changes(status=progress(job, time.monotonic() - start))
            yield self._results(job.result())
            # Gradio sends the last change twice, and a second model while the first one loads leaves its viewer empty
            yield self._changes(status=DONE)
        except UserError as error:
            yield self._changes(status=bad(sentence(error)))
        except Ended:
            yield self._changes(status=bad("The page has ended."))
        except Exception:
            traceback.print_exc()
            yield self._changes(status=bad(BROKEN))
        finally:  # Gradio has copied what it shows; or the visitor has gone
            if job:
                job.leave(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _work(self, request, folder, tell):
        return answer(self.reconstructor, request, self.limits, pathlib.Path(folder), tell)

    def _changes(self, **given):
        import gradio as gr

        return tuple(given.get(name, gr.skip()) for name in self.RESULTS)

    def _results(self, found):
        import gradio as gr

        # Babylon's alpha and beta: about the y axis from +x, and from the top down
        view = (90 - found.start[0], 90 - found.start[1], found.start[2])
        return self._changes(
            model=gr.update(value=str(found.view), camera_position=view),
            download=gr.update(value=str(found.download), interactive=True),
            picture=gr.update(value=found.masked, visible=True, label="Picture and mask"),
            overlay=gr.update(value=str(found.overlay), visible=True),
            turntable=gr.update(value=str(found.turntable), visible=True),
            about=found.about,
        )


def build(page, examples=()):
    """A Page -> gr.Blocks. examples: paths of pictures inside the page's folders."""
    import gradio as gr

    most = f"Pictures can have {page.limits.bytes / 2**20:g} MB and {page.limits.pixels / 1e6:g} megapixels."
    with gr.Blocks(title="TexDISN: a picture in, a model out", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(f"<h1>TexDISN</h1><p>A picture of one object in, a coloured 3D model out. {PRIVATE} {most}</p>")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                file = gr.File(label="Picture", height=160, elem_id="upload")
                shelf = _shelf(examples) if examples else None
                with gr.Accordion("Settings", open=False, elem_id="settings"):
                    controls = _controls()
                button = gr.Button("Reconstruct", variant="primary", elem_id="go")
                picture = gr.Image(
                    label="Picture",
                    visible=False,
                    interactive=False,
                    height=280,
                    buttons=["fullscreen"],
                    elem_id="picture",
                )
            with gr.Column(scale=3, min_width=300):
                status = gr.HTML(WELCOME, elem_id="status", container=True)
                model = gr.Model3D(
                    label="Model", height=440, clear_color=(0.93, 0.94, 0.95, 1), interactive=False, elem_id="model"
                )
                download = gr.DownloadButton("Download the model", interactive=False, elem_id="download")
                about = gr.HTML("", elem_id="about")
                with gr.Row():
                    hidden = {"visible": False, "interactive": False, "height": 240}
                    overlay = gr.Image(
                        label="Model over the picture", buttons=["fullscreen"], scale=2, elem_id="overlay", **hidden
                    )
                    turntable = gr.Image(
                        label="Turntable", buttons=["download"], scale=1, elem_id="turntable", **hidden
                    )
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        file.change(page.look, file, [status, picture], concurrency_limit=READING, **quiet)
        if shelf:
            shelf.click(lambda index: str(examples[index]), shelf, file, queue=False, **quiet)
        place = {
            "status": status, "model": model, "download": download, "picture": picture, "overlay": overlay, "turntable": turntable,
            "about": about,
        }  # fmt: skip
        given = [file, *controls]
        button.click(
            page.reconstruct, given, [place[name] for name in Page.RESULTS], concurrency_limit=VISITORS, **quiet
        )
        # on a phone the result is far below
        button.click(None, js=SHOW_STATUS, **quiet)
    blocks.queue(api_open=False, max_size=4 * VISITORS)
    return blocks


def _shelf(examples):
    """Pictures to click."""
    import gradio as gr

    return gr.Dataset(
        components=[gr.Image(render=False)], samples=[[str(path)] for path in examples], type="index", label="Examples", elem_id="examples",
        samples_per_page=12,
    )  # fmt: skip


def _controls():
    """-> the components of a Request's fields from `resolution` on, in their order."""
    import gradio as gr

    resolution = gr.Slider(
        LEAST, MOST, 128, step=16, label="Resolution", info="cells along an axis: twice as many take four times as long"
    )
    form = gr.Radio([(words, name) for name, words in FORMATS.items()], value="glb", label="Format of the download")
    texture = gr.Radio(
        [("at the vertices", "vertex"), ("a texture (GLB, OBJ)", "atlas")], value="vertex", label="Colours"
    )
    ways = {
        "find it automatically": "auto",
        "by the picture's transparency": "alpha",
        "all of the picture": "none",
        "by a mask file": "file",
    }
    mask = gr.Radio(list(ways.items()), value="auto", label="The object")
    mask_file = gr.File(label="Mask: white where the object is", height=160, visible=False, elem_id="mask_file")
    camera = gr.Radio([("estimated", "est"), ("by its angles", "angles")], value="est", label="Camera")
    azimuth = gr.Slider(0, 359, 0, step=1, label="Azimuth", info="0 front, 90 right, 180 back, 270 left", visible=False)
    elevation = gr.Slider(-85, 85, 20, step=1, label="Elevation", info="0 level, 90 from above", visible=False)
    free = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    mask.change(lambda way: gr.update(visible=way == "file"), mask, mask_file, **free)
    camera.change(lambda way: [gr.update(visible=way == "angles")] * 2, camera, [azimuth, elevation], **free)
    return [resolution, form, texture, mask, mask_file, camera, azimuth, elevation]


def launch(blocks, port, limits):
    """Serve on this computer alone, in a thread. OSError where the port is taken."""
    import gradio as gr

    # fonts that are there: the theme's own come from Google
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return blocks.launch(
        server_name="127.0.0.1", server_port=port, share=False, inbrowser=False, quiet=True, prevent_thread_lock=True, show_error=False,
        max_file_size=limits.bytes, footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, pwa=False, mcp_server=False,
        strict_cors=True, theme=gr.themes.Default(primary_hue="blue", **fonts), css=STYLE,
    )  # fmt: skip
