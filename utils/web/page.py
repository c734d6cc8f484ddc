"""The handlers of the page: what a visitor does, and what changes on the page. Gradio 6."""

import html
import pathlib
import shutil
import tempfile
import traceback
from collections.abc import Generator
from typing import Any

from PIL import Image

from utils.errors import UserError
from utils.web.camera_view import HIGHEST, LOWEST, CameraView, html_image
from utils.web.description import sentence
from utils.web.jobs import Ended, Folders, Jobs, OnStart
from utils.web.progress import progress
from utils.web.request import Limits, Reconstructor, Request, Result, download_name, is_shown, process, read_upload

AGE = 3600  # seconds after which files of visitors are removed
POLL = 0.5  # seconds between two updates of the progress
WELCOME = "Drop an image of one object, or click an example; then press <b>Reconstruct</b>."
EMPTY = "The model will be here."
STOPPED = "Stopped. Choose an image, then press <b>Reconstruct</b>."
DONE = "Done: turn the model with the mouse, a finger or the arrow keys."
BROKEN = "Something went wrong here, and not with your image: the terminal of the server shows the error."
BAD = "<span class='bad'>"  # begins an error
OVERLAY = "The image, and beside it the model over the image, with a ring on the floor and an arrow to its front"


def bad(text: str) -> str:
    """A sentence that may contain anything, as the HTML of an error."""
    return f"{BAD}{html.escape(text)}</span>"


class Page:
    """The handlers. Their results are the changes of the page's components."""

    # names of components
    RESULTS = (
        "status",
        "model",
        "download",
        "about",
        "turntable",
        "camera",
        "overlay",
        "camera_view",
        "azimuth",
        "elevation",
        "reconstructed",
        "go",
        "stop",
    )

    def __init__(self, reconstructor: Reconstructor, jobs: Jobs, folders: Folders, limits: Limits) -> None:
        """Keep what all visitors share.

        Args:
            reconstructor: the networks.
            jobs: the queue.
            folders: for the files of visitors.
            limits: of uploads.
        """
        self.reconstructor, self.jobs, self.folders, self.limits = reconstructor, jobs, folders, limits

    def look(self, path: str | None) -> tuple[Any, Any, Any]:
        """Changes after an image was chosen: notice, box of the image, visibility of the camera.

        A file that cannot be used is taken out of its box. None: the box was emptied.
        """
        import gradio as gr

        if path is None:
            return gr.skip(), gr.skip(), gr.skip()
        notice, shown = self._checked(path)
        if isinstance(notice, UserError):
            return bad(sentence(notice)), None, gr.skip()
        words = html.escape(" ".join(map(sentence, [*notice, "Press"])).removesuffix("."))
        return f"{words} <b>Reconstruct</b>.", shown, gr.update(visible=False)

    def look_at_mask(self, path: str | None) -> tuple[Any, Any]:
        """Changes of notice and box after a mask file was chosen, or removed (None)."""
        import gradio as gr

        if path is None:
            return gr.skip(), gr.skip()
        notice, shown = self._checked(path)
        return (bad(sentence(notice)), None) if isinstance(notice, UserError) else (gr.skip(), shown)

    def _checked(self, path: str) -> tuple[list[str] | UserError, Any]:
        """Notes on an upload, or why it cannot be used; and the change of its box.

        An image that browsers cannot show is replaced by one of the same pixels that they can.
        """
        import gradio as gr

        try:
            data, photo = read_upload(path, self.limits)
            if is_shown(data):
                return photo.notes, gr.skip()
            copy = pathlib.Path(tempfile.mkdtemp(dir=self.folders.requests)) / f"{download_name(path)}.png"
            image = Image.fromarray(photo.rgba if photo.has_alpha else photo.rgba[..., :3])
            image.save(copy)
            if copy.stat().st_size > self.limits.bytes:  # the box would refuse it
                copy = copy.with_suffix(".webp")
                image.save(copy, quality=95)
            return photo.notes, str(copy)
        except UserError as error:
            return error, None
        except Exception:
            traceback.print_exc()
            return UserError(BROKEN), None

    def turn(self, camera_view: CameraView | None, azimuth: Any, elevation: Any) -> Any:
        """The change of the overlay after a slider was moved."""
        import gradio as gr

        image = camera_view.turned(self.reconstructor, azimuth, elevation) if camera_view else None
        return gr.skip() if image is None else html_image(image, OVERLAY)

    def reconstruct(self, *controls: Any) -> Generator[tuple[Any, ...], None, None]:
        """Yield the changes of RESULTS from the press of the button to the result.

        controls: the fields of a Request, in their order.
        """
        import gradio as gr

        request, hidden = Request(*controls), gr.update(visible=False)
        yield self._changes(
            status="Starting …",
            model=gr.update(value=None, visible=True),  # a viewer that is hidden does not load a model
            download=hidden,
            about="",
            turntable=hidden,
            camera=hidden,
            go=gr.update(interactive=False),
            stop=gr.update(visible=True),
        )
        folder = tempfile.mkdtemp(dir=self.folders.requests)
        job, told = None, ""

        def work(on_start: OnStart) -> Result:
            return process(self.reconstructor, request, self.limits, pathlib.Path(folder), on_start)

        try:
            request.validate()
            job = self.jobs.start(work)
            while not job.done(POLL):  # without news too: only here Gradio finds out that a visitor has left
                before, told = told, progress(job)
                yield self._changes(status=told) if told != before else self._changes()
            yield self._result_changes(job.result(), request)
            # Gradio sends the last change twice. A second model that arrives while the first one
            # loads would leave the viewer empty, so the last change has none.
            yield self._changes(status=DONE)
        except UserError as error:
            yield self._changes(status=bad(sentence(error)), model=hidden)
        except Ended:
            yield self._changes(status=bad("The page has ended."), model=hidden)
        except Exception:
            traceback.print_exc()
            yield self._changes(status=bad(BROKEN), model=hidden)
        finally:  # Gradio has copied what it shows, or the visitor has left
            if job:
                job.leave(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def ready(status: str) -> tuple[Any, ...]:
        """The changes of status, model, Reconstruct and Stop when `reconstruct` is over in any way.

        status: what it showed last; no end of its own if Stop broke it off.
        """
        import gradio as gr

        go, stop = gr.update(interactive=True), gr.update(visible=False)
        if status == DONE or status.startswith(BAD):
            return gr.skip(), gr.skip(), go, stop
        return STOPPED, gr.update(visible=False), go, stop

    def _changes(self, **values: Any) -> tuple[Any, ...]:
        """The changes of RESULTS. Components without a value stay as they are."""
        import gradio as gr

        return tuple(values.get(name, gr.skip()) for name in self.RESULTS)

    def _result_changes(self, result: Result, request: Request) -> tuple[Any, ...]:
        """The changes that show the result of a request."""
        import gradio as gr

        # Babylon's alpha and beta are angles about the y axis from +x, and from the top down
        view = (90 - result.azimuth, 90 - result.elevation, result.distance)
        return self._changes(
            model=gr.update(value=str(result.view), camera_position=view),
            download=gr.update(value=str(result.download), visible=True),
            about=result.about,
            turntable=gr.update(value=str(result.turntable), visible=True),
            camera=gr.update(visible=True),
            overlay=html_image(result.camera_view.image(), OVERLAY),
            camera_view=result.camera_view,
            azimuth=round(result.azimuth) % 360,
            elevation=min(max(round(result.elevation), LOWEST), HIGHEST),
            reconstructed=request.image,
        )
