"""The page in the browser: draw a few strokes, teach, look, draw where it helps most, and judge the model.

    images --beginning--> project --page--> strokes --session--> rounds: a model each, what it outlines, where to draw next

`serve` opens it. Read `project` (what lies on disk), `session` (what can be done with it), `app` (what the page may ask
for); `page/` is what the browser runs. All of it goes through `delineate.flow`, and all that it leaves behind is what the command
line reads: a data folder, model folders, reports.
"""

from delineate.studio.beginning import begun
from delineate.studio.project import Project
from delineate.studio.serving import serve
from delineate.studio.session import Session

__all__ = ["Project", "Session", "begun", "serve"]
