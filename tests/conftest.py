"""Settings for all tests: a busy machine is no reason to be slow or to fail."""

import os

from hypothesis import settings

# Before torch loads: threads that wait for each other sleep, as they do in `delineate`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("delineate", deadline=None)
settings.load_profile("delineate")
