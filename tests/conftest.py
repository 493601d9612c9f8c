"""Settings for all tests: a busy machine is no reason to fail."""

from hypothesis import settings

settings.register_profile("delineate", deadline=None)
settings.load_profile("delineate")
