"""Raises, whatever it is shown."""


def handler(event, _context):
    raise KeyError("level")
