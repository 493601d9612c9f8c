"""A page of the studio that is served while a test looks at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from delineate.studio import Session
from delineate.studio.app import app
from delineate.studio.serving import listening

KEY = "known"


@contextmanager
def served(session: Session) -> Iterator[httpx.Client]:
    """Somebody who has not said the key yet."""
    listener = listening(None)
    server = uvicorn.Server(uvicorn.Config(app(session, key=KEY), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, follow_redirects=True, timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
