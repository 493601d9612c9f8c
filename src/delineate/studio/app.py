"""What the page may ask for: FastAPI routes over a `Session`. Pixels cross as raw bytes, one per pixel, row by row.

Only this machine is listened to, only a browser that was given the key is answered, and only under the names of this
machine, so that no other page can speak to this one.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware

from delineate.core import UNLABELLED, DataError, DelineateError, made_folder
from delineate.data import Picture
from delineate.report.overlay import Rgb, stretched
from delineate.studio.project import Project
from delineate.studio.session import As, Session

HOSTS = ("127.0.0.1", "localhost", "[::1]")
THUMBNAIL = 150  # pixels of the longer side
SHOWN = 2  # pictures in memory as they are shown
Number = Annotated[int | None, Query(ge=1)]


class Training(BaseModel):
    """How the next round is taught."""

    minutes: float = Field(gt=0, le=24 * 60, allow_inf_nan=False)
    from_last: bool = False


class Names(BaseModel):
    """The names of the classes, background first."""

    names: list[str] = Field(min_length=2, max_length=200)


class Chosen(BaseModel):
    """A round, and what its masks are to hold."""

    number: int | None = None
    as_: As = Field("classes", alias="as")


def app(session: Session, *, key: str) -> FastAPI:
    """The page over a session, for a browser that knows the key: it comes with the first request, `/?key=KEY`."""
    page = files("delineate.studio") / "page"
    project = session.project
    made = FastAPI(title="Delineate", docs_url=None, redoc_url=None, openapi_url=None)
    made.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=1)
    made.mount("/static", StaticFiles(directory=str(page)), name="static")
    made.mount("/rounds", StaticFiles(directory=made_folder(session.folder)), name="rounds")
    shown = _Shown(project)

    @made.middleware("http")
    async def guard(request: Request, answer: RequestResponseEndpoint) -> Response:
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host not in HOSTS:
            return JSONResponse({"error": "the page is for this machine alone"}, status_code=403)
        # browsers say which page it is that asks, in all that changes something
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("//")[2] != request.headers.get("host"):
            return JSONResponse({"error": "another page asks: open this one by its address"}, status_code=403)
        given = request.query_params.get("key") or request.cookies.get(_cookie(request)) or ""
        if not secrets.compare_digest(given.encode(), key.encode()):
            return Response(
                "This page belongs to somebody who was given its whole address, with ?key=..., in the terminal.",
                status_code=403,
            )
        response = await answer(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    @made.exception_handler(DelineateError)
    async def sentence(_: Request, error: DelineateError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=409)

    @made.get("/")
    def index(request: Request) -> Response:
        if "key" in request.query_params:  # the address shall not hold it
            response: Response = RedirectResponse("/", status_code=303)
            response.set_cookie(_cookie(request), key, httponly=True, samesite="lax")
            return response
        return FileResponse(str(page / "index.html"))

    @made.get("/api/state")
    def state() -> dict[str, Any]:
        return session.state()

    @made.get("/api/image")
    def image(name: str) -> dict[str, Any]:
        picture = project.picture(name)
        depth, height, width = _planes(picture.spatial)
        drawn = project.labels(name).reshape(depth, -1) != UNLABELLED
        return {
            "depth": depth,
            "height": height,
            "width": width,
            "channels": picture.array.shape[-1],
            "drawn": np.flatnonzero(drawn.any(1)).tolist(),
            "masked": name in project.masked,
            "notes": picture.notes,
        }

    @made.get("/api/picture")
    def picture(name: str, z: Annotated[int, Query(ge=0)] = 0) -> Response:
        return _png(_slice(shown(name), z))

    @made.get("/api/thumbnail")
    def thumbnail(name: str) -> Response:
        return _png(_small(project.glance(name)), longest=THUMBNAIL)

    @made.get("/api/labels")
    def labels(name: str, z: Annotated[int, Query(ge=0)] = 0) -> Response:
        labels = project.labels(name)
        return _raw(_slice(labels.reshape(_planes(labels.shape)), z))

    @made.put("/api/labels")
    async def draw(
        request: Request, name: str, z: int, row: int, column: int, height: int, width: int
    ) -> dict[str, Any]:
        body = await request.body()
        if height < 0 or width < 0 or len(body) != height * width:
            raise DataError("the strokes were cut short on their way: load the page again")
        values = np.frombuffer(body, np.uint8).reshape(height, width)
        await run_in_threadpool(project.draw, name, values, at=(z, row, column))
        return {"counts": project.counts.get(name)}

    @made.get("/api/predicted")
    def predicted(name: str, z: Annotated[int, Query(ge=0)] = 0, number: Number = None) -> Response:
        labels, unsure = session.predicted(name, number=number)
        planes = _planes(labels.shape)
        return _raw(np.stack([_slice(labels.reshape(planes), z), _slice(unsure.reshape(planes), z)]))

    @made.post("/api/classes")
    def classes(wanted: Names) -> dict[str, Any]:
        session.name_classes(wanted.names)
        return session.state()

    @made.post("/api/train")
    def train(wanted: Training) -> dict[str, Any]:
        session.train(minutes=wanted.minutes, from_last=wanted.from_last)
        return session.state()

    @made.post("/api/outline")
    def outline(wanted: Chosen) -> dict[str, Any]:
        session.outline(number=wanted.number, as_=wanted.as_)
        return session.state()

    @made.post("/api/judge")
    def judge(wanted: Chosen) -> dict[str, Any]:
        session.judge(number=wanted.number)
        return session.state()

    @made.post("/api/audit")
    def audit(wanted: Chosen) -> dict[str, Any]:
        session.audit(number=wanted.number)
        return session.state()

    @made.post("/api/stop")
    def stop() -> dict[str, Any]:
        session.stop()
        return session.state()

    return made


class _Shown:
    """Pictures as they are shown, (depth, height, width, 3) uint8; the last few stay in memory."""

    def __init__(self, project: Project) -> None:
        self._project, self._held, self._lock = project, OrderedDict[str, Rgb](), threading.Lock()

    def __call__(self, name: str) -> Rgb:
        with self._lock:
            if name not in self._held:
                picture = self._project.picture(name)
                self._held[name] = stretched(picture.array).reshape(*_planes(picture.spatial), 3)
            self._held.move_to_end(name)
            while len(self._held) > SHOWN:
                self._held.popitem(last=False)
            return self._held[name]


def _planes(spatial: tuple[int, ...]) -> tuple[int, int, int]:
    """Depth, height and width; a picture is one slice deep."""
    height, width = spatial[-2:]
    return (spatial[0] if len(spatial) == 3 else 1), height, width


def _small(picture: Picture) -> Rgb:
    """The middle slice as it is shown, of a few pixels to each of a thumbnail."""
    depth, height, width = _planes(picture.spatial)
    step = max(1, max(height, width) // (4 * THUMBNAIL))
    middle: Rgb = stretched(picture.array.reshape(depth, height, width, -1)[:, ::step, ::step])[depth // 2]
    return middle


def _slice(planes: NDArray[np.uint8], z: int) -> NDArray[np.uint8]:
    if z >= len(planes):
        raise DataError(f"there is no slice {z} of {len(planes)}: load the page again")
    plane: NDArray[np.uint8] = planes[z]
    return plane


def _png(picture: Rgb, *, longest: int | None = None) -> Response:
    grey = bool((picture == picture[..., :1]).all())  # a third of the bytes, and of the time
    drawn = Image.fromarray(np.ascontiguousarray(picture[..., 0]) if grey else picture)
    if longest is not None:
        drawn.thumbnail((longest, longest))
    held = io.BytesIO()
    drawn.save(held, "PNG", compress_level=1)
    return Response(held.getvalue(), media_type="image/png")


def _raw(values: NDArray[np.uint8]) -> Response:
    return Response(np.ascontiguousarray(values).tobytes(), media_type="application/octet-stream")


def _cookie(request: Request) -> str:
    """Cookies are of a name, whatever the port: each page has one of its own."""
    return f"delineate-{request.url.port}"
