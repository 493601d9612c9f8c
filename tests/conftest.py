"""Settings for all tests: a busy machine is no reason to be slow or to fail."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads: threads that wait sleep, as in `delineate`

settings.register_profile("delineate", deadline=None)
settings.load_profile("delineate")
