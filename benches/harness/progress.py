"""What a person sees while it runs. The tables alone go to stdout."""

import sys


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"bench: {text}")
