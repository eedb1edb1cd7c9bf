"""Takes longer than it may."""

import time


def handler(event, _context):
    time.sleep(30)
