#!/usr/bin/env python3
"""Reads the golden vectors of this folder and compares them with their JSON.

A second reader of Fleetlog's batch format, which shared/src/batch/format.md and
shared/src/can/format-can-1.md specify: it shows that the format isn't tied to one program.
Needs: pip install cbor2 zstandard
"""

import io
import json
import pathlib
import re
import struct
import sys
import zlib
from math import isfinite

import cbor2
import zstandard

sys.dont_write_bytecode = True  # a folder of vectors, not of programs
import read_can as can  # noqa: E402

KINDS = ["can", "lines", "samples", "events"]
CODEC_KINDS = {"can-1": "can", "lines-1": "lines", "samples-1": "samples", "events-1": "events", "gap-1": None}
CLOCK_STATES = ["unset", "coarse", "synced"]
ORIGINS = ["live", "recording", "simulated"]
GAP_CAUSES = ["buffer-full", "expired", "corrupt", "power-cut", "source-dropped"]
CHANNEL_TYPES = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"]


class Refused(Exception):
    """These bytes aren't a batch; `args[0]` is the end of the error code."""


def need(condition, code="MALFORMED"):
    if not condition:
        raise Refused(code)


# --- plain CBOR -------------------------------------------------------------------------------------------------


def walk(data, at, depth, items):
    """Returns where the item at `at` ends; refuses all that isn't plain CBOR. `items` is a list of one number."""
    items[0] -= 1
    need(depth >= 0 and items[0] >= 0 and at < len(data))
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    need(info <= 27 and not (major == 7 and info == 24))
    argument = info
    if info >= 24:
        size = 1 << (info - 24)
        need(at + size <= len(data))
        argument = int.from_bytes(data[at : at + size], "big")
        at += size
    if major in (2, 3):
        need(argument <= len(data) - at)
        return at + argument
    if major in (4, 5):
        count = argument * (major - 3)
        need(count <= items[0])
        for _ in range(count):
            at = walk(data, at, depth - 1, items)
        return at
    need(major != 6)
    need(major != 7 or info in (20, 21, 22, 25, 26, 27))
    return at


def decode_plain(data, depth, items):
    need(walk(data, 0, depth, [items]) == len(data))
    return cbor2.load(io.BytesIO(data))


def whole(value, least=-(2**53) + 1):
    """A whole number that was written as an integer or as a float."""
    need(type(value) in (int, float) and value == value and abs(value) < 2**53 and value == int(value))
    need(value >= least)
    return int(value)


# --- envelope ---------------------------------------------------------------------------------------------------


def read_batch(data):
    need(len(data) <= 4 * 2**20, "LIMIT")
    need(len(data) >= 8 and data[0] == 0x83 and data[-5] == 0x1A)
    need(int.from_bytes(data[-4:], "big") == zlib.crc32(data[:-5]), "CHECKSUM")
    fields, payload, _ = decode_plain(data, 3, 256)
    need(isinstance(fields, dict) and isinstance(payload, bytes))
    return read_header(fields), payload


def read_header(fields):
    need(fields.get(0) == 1, "VERSION")
    codec = fields.get(14)
    need(isinstance(codec, str))
    need(codec in CODEC_KINDS, "CODEC")
    clock = fields.get(12)
    need(isinstance(clock, list) and len(clock) >= 3)
    sequence = whole(fields.get(6), 0)
    header = {
        "gateway": text(fields.get(1), r"[a-z0-9][a-z0-9-]{0,62}"),
        "epoch": life(fields.get(2)),
        "boot": life(fields.get(3)),
        "stream": text(fields.get(4), r"[a-z0-9][a-z0-9_-]{0,62}"),
        "kind": member(KINDS, fields.get(5)),
        "sequence": sequence,
        "lastSequence": whole(fields.get(7, sequence), sequence),
        "firstTimeUs": whole(fields.get(8)),
        "lastTimeUs": whole(fields.get(9), whole(fields.get(8))),
        "recordCount": whole(fields.get(10), -1 if codec == "gap-1" else 0),
        "storeTimeUs": whole(fields.get(11)),
        "clock": {
            "wallOffsetUs": whole(clock[0]),
            "state": member(CLOCK_STATES, clock[1]),
            "uncertaintyUs": whole(clock[2], -1),
        },
        "origin": member(ORIGINS, fields.get(13)),
        "codec": codec,
        "rawBytes": whole(fields.get(15), 0),
    }
    need(CODEC_KINDS[codec] in (None, header["kind"]))
    if codec != "gap-1":
        need(header["lastSequence"] == sequence)
        need(header["recordCount"] <= 2**20, "LIMIT")
    need(header["rawBytes"] <= 16 * 2**20, "LIMIT")
    if 16 in fields:
        need(codec != "gap-1")
        header["thinned"] = read_thinned(fields[16])
    return header


def read_thinned(value):
    need(isinstance(value, list) and len(value) >= 4)
    first = whole(value[2])
    thinned = {"keepEachNth": whole(value[0], 2), "records": whole(value[1], 1)}
    need(thinned["records"] <= 2**20)
    return {**thinned, "firstTimeUs": first, "lastTimeUs": whole(value[3], first)}


def text(value, pattern):
    need(isinstance(value, str) and re.fullmatch(pattern, value))
    return value


def life(value):
    need(isinstance(value, bytes) and len(value) == 8)
    return value.hex()


def member(names, index):
    need(type(index) is int and 0 <= index < len(names))
    return names[index]


def decompress(frame, size):
    try:
        need(zstandard.frame_content_size(frame) == size)
        reader = zstandard.ZstdDecompressor().decompressobj()
        content = reader.decompress(frame)
    except zstandard.ZstdError as error:
        raise Refused("MALFORMED") from error
    need(reader.eof and reader.unused_data == b"" and len(content) == size)
    return content


class Content:
    """Reads a payload from front to back."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        need(self.at + length <= len(self.data))
        self.at += length
        return self.data[self.at - length : self.at]

    def varint(self):
        value = 0
        for shift in range(0, 35, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Refused("MALFORMED")

    def signed(self):
        value = self.varint()
        return -(value + 1) // 2 if value & 1 else value // 2

    def end(self):
        need(self.at == len(self.data))


def check_times(header, times):
    """Columns of a batch lie within 32 bits of the first; the header has the smallest and the largest."""
    need(all(abs(time - times[0]) < 2**31 for time in times))
    need(not times or (min(times) == header["firstTimeUs"] and max(times) == header["lastTimeUs"]))


# --- codecs -----------------------------------------------------------------------------------------------------


def read_lines(header, payload):
    content = Content(decompress(payload, header["rawBytes"]))
    count = range(header["recordCount"])
    time, times = header["firstTimeUs"], []
    for _ in count:
        time += content.signed()
        times.append(time)
    lengths = [content.varint() for _ in count]
    need(all(length <= 2**20 for length in lengths), "LIMIT")
    lines = [content.take(length).hex() for length in lengths]
    content.end()
    check_times(header, times)
    return [list(record) for record in zip(times, lines)]


def read_samples(header, payload):
    content = Content(decompress(payload, header["rawBytes"]))
    channel_count = content.varint()
    need(channel_count <= 4096, "LIMIT")
    channels = []
    for _ in range(channel_count):
        (number,) = content.take(1)
        is_scaled, number = number & 128, number & 127
        need(number < len(CHANNEL_TYPES))
        name, unit = read_text(content, 128), read_text(content, 32)
        need(name != "" and all(name != channel["name"] for channel in channels))
        channel = {"name": name, "unit": unit, "type": CHANNEL_TYPES[number]}
        if is_scaled:
            channel["scale"], channel["offset"] = struct.unpack("<dd", content.take(16))
            need(isfinite(channel["scale"]) and isfinite(channel["offset"]))
        channels.append(channel)
    count = header["recordCount"]
    times, step = [], 0
    for i in range(count):
        if i == 0:
            times.append(header["firstTimeUs"] + content.signed())
        else:
            step += content.signed()
            times.append(times[-1] + step)
    columns = [read_column(content, int(channel["type"][1:]) // 8, count) for channel in channels]
    content.end()
    check_times(header, times)
    return {"channels": channels, "timesUs": times, "columns": columns}


def read_text(content, bytes_max):
    length = content.varint()
    need(length <= bytes_max, "LIMIT")
    try:
        return content.take(length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("MALFORMED") from error


def read_column(content, width, count):
    (form,) = content.take(1)
    need(form in (0, 1))
    lanes = content.take(width * count)
    values, previous = [], 0
    for i in range(count):
        value = int.from_bytes(bytes(lanes[lane * count + i] for lane in range(width)), "little")
        if form == 1:
            difference = -(value + 1) // 2 if value & 1 else value // 2
            value = (previous + difference) % 2 ** (8 * width)
        previous = value
        values.append(value.to_bytes(width, "little"))
    return b"".join(values).hex()


def read_events(header, payload):
    need(header["recordCount"] <= 4096, "LIMIT")
    events = decode_plain(decompress(payload, header["rawBytes"]), 3, 2**17)
    need(isinstance(events, list) and len(events) == header["recordCount"])
    records = []
    for event in events:
        need(isinstance(event, list) and len(event) == 3 and isinstance(event[2], dict))
        time, kind, attributes = event
        need(len(text(kind, r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*")) <= 128)
        need(len(attributes) <= 64, "LIMIT")
        for name, value in attributes.items():
            need(isinstance(name, str) and (value is None or type(value) in (str, int, float, bool)))
        records.append({"timeUs": whole(time), "type": kind, "attributes": attributes})
    times = [record["timeUs"] for record in records]
    need(not times or (min(times) == header["firstTimeUs"] and max(times) == header["lastTimeUs"]))
    return records


def read_gap(header, payload):
    need(len(payload) == header["rawBytes"])
    fields = decode_plain(payload, 1, 32)
    need(isinstance(fields, dict) and fields.get(0) in GAP_CAUSES and isinstance(fields.get(1), str))
    need(len(fields[1].encode("utf-16-le")) <= 2 * 1024)
    return {"cause": fields[0], "detail": fields[1]}


def read_can(header, payload):
    try:
        records = can.read_can(header, payload, decompress)
    except can.Refused as error:
        raise Refused(*error.args) from error
    check_times(header, [frame["timeUs"] for frame in records["frames"]])
    return records


CODECS = {
    "can-1": read_can,
    "lines-1": read_lines,
    "samples-1": read_samples,
    "events-1": read_events,
    "gap-1": read_gap,
}


def read(data):
    header, payload = read_batch(data)
    return {"header": header, "records": CODECS[header["codec"]](header, payload)}


def difference(expected, found, path=""):
    """The first place where two values differ."""
    if type(expected) is type(found) is dict and expected.keys() == found.keys():
        keys = [key for key in expected if expected[key] != found[key]]
        return difference(expected[keys[0]], found[keys[0]], f"{path}.{keys[0]}")
    if type(expected) is type(found) is list and len(expected) == len(found):
        (i, *_) = [i for i in range(len(expected)) if expected[i] != found[i]]
        return difference(expected[i], found[i], f"{path}[{i}]")
    return f"at {path or 'top'} expected {str(expected)[:200]}, found {str(found)[:200]}"


def main():
    folder = pathlib.Path(__file__).parent
    wrong = 0
    paths = sorted(folder.glob("*.json"))
    for path in paths:
        expected = json.loads(path.read_text("utf-8"))
        del expected["description"]
        try:
            found = read(path.with_suffix(".cbor").read_bytes())
        except Refused as error:
            found = {"error": f"FLEETLOG_BATCH_{error.args[0]}"}
        if found != expected:
            wrong += 1
            print(f"{path.stem}: {difference(expected, found)}", file=sys.stderr)
    if wrong:
        sys.exit(f"{wrong} of {len(paths)} vectors read otherwise than expected")
    print(f"{len(paths)} vectors read as expected")


if __name__ == "__main__":
    main()
