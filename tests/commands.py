"""The command line as tests call it: in their own process, without starting a program for each."""

from __future__ import annotations

import sys

from delineate import cli


def run(*words: object) -> int:
    """Exit status of `delineate WORDS`, run in this process."""
    before = sys.argv
    sys.argv = ["delineate", *map(str, words)]
    try:
        cli.main()
    except SystemExit as leave:
        return int(leave.code or 0)
    finally:
        sys.argv = before
    return 0
