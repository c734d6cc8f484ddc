"""Serving the page on this computer alone: Gradio's environment, theme and server. Gradio 6.

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
from utils.web.layout import STYLE
from utils.web.request import Limits


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


def _theme() -> Any:
    """Gradio's own theme with the system's fonts, because it loads its own from Google.

    Greys and blues are dark enough to be read (a contrast of 4.5 at least, WCAG 2 AA).
    """
    import gradio as gr

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return gr.themes.Default(primary_hue="blue", **fonts).set(
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


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
    from gradio import queueing, routes

    # what a visitor sends is checked by Gradio too, which would print a traceback
    queueing.traceback = routes.traceback = types.SimpleNamespace(print_exc=_print_refusal)
    functions = {number: len(function.inputs) for number, function in blocks.fns.items()}
    gate = {"hosts": hosts, "functions": functions, "upload_bytes": limits.bytes, "full": folders.full}
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
        theme=_theme(),
        css=STYLE,
    )
