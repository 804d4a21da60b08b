"""Messages while a benchmark runs, on stderr. Only the tables go to stdout."""

import sys


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"bench: {text}")
