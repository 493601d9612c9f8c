"""Settings for all tests: a busy machine is no reason to be slow or to fail."""

import gc
import os
import sys
import tempfile
from typing import Any, cast

from hypothesis import settings

# Before torch loads: threads that wait for each other sleep, as they do in `delineate`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # processes that share the cores: one thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before a test imports nncf, which imports OpenVINO: each conversion would fork this large process to tell its makers.
sys.modules["openvino_telemetry"] = cast(Any, None)

# What is remembered about engines stays with the tests.
os.environ["DELINEATE_CACHE"] = tempfile.mkdtemp(prefix="delineate-tests-")

# The collector looks through all objects of this large process again and again otherwise: 5 % of the time of all tests.
gc.set_threshold(20_000, 20, 100)

settings.register_profile("delineate", deadline=None)
settings.load_profile("delineate")
