"""The handlers of the page: what a visitor does, and what changes on the page. Gradio 6."""

import html
import pathlib
import shutil
import tempfile
import time
import traceback
from collections.abc import Generator
from typing import Any

from utils.errors import UserError
from utils.web.description import sentence
from utils.web.jobs import Ended, Folders, Job, Jobs, OnStart
from utils.web.request import Limits, Reconstructor, Request, Result, preview, process, read_upload

AGE = 3600  # seconds after which files of visitors are removed
POLL = 0.5  # seconds between two updates of the progress
STEPS = {
    "read": "Reading the image",
    "mask": "Finding the object",
    "camera": "Estimating the camera",
    "image": "Encoding the image",
    "iso": "Finding the iso value of the surface",
    "mesh": "Extracting the surface",
    "simplify": "Merging its faces",
    "check": "Comparing it with the image",
    "colours": "Taking the colours of the image",
    "texture": "Writing the model",
    "views": "Drawing the views",
}
WELCOME = "Drop an image of one object, or click an example; then press <b>Reconstruct</b>."
DONE = "Done: turn the model with the mouse or a finger."
BROKEN = "Something went wrong here, and not with your image: the terminal of the server shows the error."


def bad(text: str) -> str:
    """A sentence that may contain anything, as the HTML of an error."""
    return f"<span class='bad'>{html.escape(text)}</span>"


def progress(job: Job, seconds: float) -> str:
    """HTML with the steps of a job, or with the number of jobs before it.

    seconds: since the visitor pressed the button.
    """
    before = job.before()
    if before:
        waiting = f"{before} {'image is' if before == 1 else 'images are'} reconstructed before yours"
        return f"Waiting: {waiting} ({seconds:.0f} s)."
    begun, steps = [name for name in job.stages if name in STEPS], []
    for name, words in STEPS.items():
        state = "" if name not in begun else "now" if name == begun[-1] else "past"
        mark = {"": "○", "now": "●", "past": "✓"}[state]
        steps.append(f"<li class='{state}'>{mark} {words}</li>")
    return f"<ol>{''.join(steps)}</ol>"


class Page:
    """The handlers. Their results are the changes of the page's components."""

    RESULTS = ("status", "model", "download", "image", "overlay", "turntable", "about")  # names of components

    def __init__(self, reconstructor: Reconstructor, jobs: Jobs, folders: Folders, limits: Limits) -> None:
        """Keep what all visitors share.

        Args:
            reconstructor: the networks.
            jobs: the queue.
            folders: for the files of visitors.
            limits: of uploads.
        """
        self.reconstructor, self.jobs, self.folders, self.limits = reconstructor, jobs, folders, limits

    def look(self, path: str | None) -> tuple[Any, Any]:
        """Changes of status and image after an image was chosen, or removed (None)."""
        import gradio as gr

        hidden = gr.update(value=None, visible=False)
        if path is None:
            return WELCOME, hidden
        try:
            photo = read_upload(path, self.limits)[1]
        except UserError as error:
            return bad(sentence(error)), hidden
        except Exception:
            traceback.print_exc()
            return bad(BROKEN), hidden
        status = html.escape(" ".join([*map(sentence, photo.notes), "Press"])) + " <b>Reconstruct</b>."
        return status, gr.update(value=preview(photo), visible=True, label="Image")

    def reconstruct(self, *controls: Any) -> Generator[tuple[Any, ...], None, None]:
        """Yield the changes of RESULTS from the press of the button to the result.

        controls: the fields of a Request, in their order.
        """
        import gradio as gr

        request = Request(*controls)
        hidden = gr.update(value=None, visible=False)
        yield self._changes(
            status="Starting …",
            model=None,
            download=gr.update(interactive=False),
            overlay=hidden,
            turntable=hidden,
            about="",
        )
        folder = tempfile.mkdtemp(dir=self.folders.requests)
        job, start = None, time.monotonic()

        def work(on_start: OnStart) -> Result:
            return process(self.reconstructor, request, self.limits, pathlib.Path(folder), on_start)

        try:
            request.validate()
            job = self.jobs.start(work)
            while not job.done(POLL):
                yield self._changes(status=progress(job, time.monotonic() - start))
            yield self._result_changes(job.result())
            # Gradio sends the last change twice. A second model that arrives while the first one
            # loads would leave the viewer empty, so the last change has none.
            yield self._changes(status=DONE)
        except UserError as error:
            yield self._changes(status=bad(sentence(error)))
        except Ended:
            yield self._changes(status=bad("The page has ended."))
        except Exception:
            traceback.print_exc()
            yield self._changes(status=bad(BROKEN))
        finally:  # Gradio has copied what it shows, or the visitor has left
            if job:
                job.leave(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _changes(self, **values: Any) -> tuple[Any, ...]:
        """The changes of RESULTS. Components without a value stay as they are."""
        import gradio as gr

        return tuple(values.get(name, gr.skip()) for name in self.RESULTS)

    def _result_changes(self, result: Result) -> tuple[Any, ...]:
        """The changes that show a result."""
        import gradio as gr

        # Babylon's alpha and beta are angles about the y axis from +x, and from the top down
        view = (90 - result.azimuth, 90 - result.elevation, result.distance)
        return self._changes(
            model=gr.update(value=str(result.view), camera_position=view),
            download=gr.update(value=str(result.download), interactive=True),
            image=gr.update(value=result.masked, visible=True, label="Image and mask"),
            overlay=gr.update(value=str(result.overlay), visible=True),
            turntable=gr.update(value=str(result.turntable), visible=True),
            about=result.about,
        )
