"""Answers nothing."""


def handler(event, _context):
    return None
