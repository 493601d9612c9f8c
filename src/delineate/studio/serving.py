"""Opening the page: a server for this machine alone, on a free port, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from delineate.core import DataError, OutputError
from delineate.data.label_choice import LabelKind
from delineate.data.masks import MasksAre
from delineate.flow.methods import Tell
from delineate.studio.beginning import begun
from delineate.studio.project import MARK
from delineate.studio.session import Session

HOST = "127.0.0.1"
COINS = ("background", "coin")
PORT = 8421  # tried first, where none is asked for


def serve(
    where: str | Path | None = None,
    *,
    out: str | Path | None = None,
    names: Sequence[str] | None = None,
    test: str | Path | None = None,
    port: int | None = None,
    browse: bool = True,
    labels: LabelKind | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
) -> None:
    """Show the page of the project in `out` (see `begun`) until Ctrl-C. Its address goes to `tell`.

    where: as in `begun`; None: the project in `out`, or else pictures of coins, written into `out` with what they are tested on.
    test: a data folder with full masks of other images, to judge and audit models on. port: of this machine; None: a free
    one. browse: open the page in the browser that the system prefers.
    Raises DataError as `begun` does, and without fastapi and uvicorn; OutputError where the port is taken.
    """
    try:
        import uvicorn

        from delineate.studio.app import app
    except ModuleNotFoundError as error:
        raise DataError(
            f"the page is served by {error.name}, which is missing: pip install 'delineate[studio]'"
        ) from error
    say = tell or (lambda _: None)
    if test is not None and not Path(test).exists():
        raise DataError(f"there is no folder {test} to test on: check its name")
    if where is None and out is not None and (Path(out) / MARK).is_file():
        where, out = out, None  # a project that is there goes on
    if where is None:
        where, out, names, test = _coins(Path(out or "delineate-studio"), names, test)
    project = begun(
        where,
        out=out,
        names=names,
        labels=labels,
        unlabelled=unlabelled,
        masks_are=masks_are,
        tell=say,
    )
    session = Session(project, test=test)
    key = secrets.token_urlsafe(16)
    with listening(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/?key={key}"
        say(f"strokes are kept in {project.folder / 'scribbles'}, models in {session.folder}")
        say(f"draw here, and end with Ctrl-C: {address}")
        if browse:
            import webbrowser

            webbrowser.open(address)
        settings = uvicorn.Config(app(session, key=key), log_level="warning", timeout_graceful_shutdown=1)
        logging.getLogger("uvicorn.error").addFilter(_is_no_ending)
        try:
            uvicorn.Server(settings).run(sockets=[listener])
        except KeyboardInterrupt:
            pass
        finally:
            if session.work is not None and session.work.running:
                say(f"{session.work.what} is being ended; Ctrl-C again ends it at once")
                session.stop()
                session.work.wait(30)


def _is_no_ending(record: logging.LogRecord) -> bool:
    """Whether a line of the server is worth telling: that Ctrl-C cut off an answer is not."""
    cut_off = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cut_off and "timeout graceful shutdown exceeded" not in record.getMessage()


def _coins(
    folder: Path, names: Sequence[str] | None, test: str | Path | None
) -> tuple[Path, Path, Sequence[str] | None, str | Path]:
    """Something to try the page on: images, the project, names of classes, and what to test on."""
    from delineate.data import samples

    pictures, project = folder / "coins", folder / "project"
    if not pictures.exists():
        samples.write(pictures)
    begins = not (project / MARK).exists()
    return (
        pictures / "train" / "images",
        project,
        names or (COINS if begins else None),
        test or pictures / "test",
    )


def listening(port: int | None) -> socket.socket:
    """A socket that listens on this machine: at `port`, or else at PORT or any that is free."""
    for wanted in (PORT, 0) if port is None else (port,):
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, wanted))
            listener.listen()  # from now on: a browser that is quicker than the server waits
            return listener
        except OSError as error:
            listener.close()
            refused = error
        except OverflowError as error:
            listener.close()
            raise OutputError(f"there is no port {port}: give one from 1024 to 65535") from error
    raise OutputError(
        f"port {port} of this machine cannot be had ({refused.strerror}): leave --port out, or give another"
    )
