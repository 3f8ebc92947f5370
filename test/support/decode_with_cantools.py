"""Decodes frames with cantools: one JSON object per line in, one out.

In:  {"file": PATH, "frames": [{"id": 256, "extended": false, "data": ["0102", ...]}, ...]}
Out: null where cantools refuses the file, else per message and data {signal: value}, or null where it refuses the data.
"""

import json
import logging
import sys

import cantools

logging.disable(logging.CRITICAL)


def number(value):
    value = float(value)
    return value if abs(value) != float("inf") and value == value else str(value)


def decode(message, data):
    try:
        values = message.decode(bytes.fromhex(data), decode_choices=False, allow_truncated=True)
    except Exception:
        return None
    return {name: number(value) for name, value in values.items()}


def answer(request):
    try:
        database = cantools.database.load_file(request["file"], strict=False)
    except Exception:
        return None
    answers = []
    for one in request["frames"]:
        found = [
            m
            for m in database.messages
            if m.frame_id == one["id"] and m.is_extended_frame == one["extended"]
        ]
        answers.append([decode(found[0], data) for data in one["data"]] if found else None)
    return answers


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
