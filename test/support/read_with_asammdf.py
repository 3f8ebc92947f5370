"""Prints the frames that asammdf finds in an MF4 file, by time: one JSON value per line. Usage: read_with_asammdf.py FILE"""
import json
import sys

from asammdf import MDF

frames = []
with MDF(sys.argv[1]) as mdf:
    start_us = round(mdf.start_time.timestamp() * 1e6)
    for index, group in enumerate(mdf.groups):
        event = next(channel.name for channel in group.channels if channel.name.startswith("CAN_") and "." not in channel.name)
        if group.channel_group.cycles_nr == 0:
            continue
        signal = mdf.get(event, group=index)
        names = [name.split(".")[-1] for name in signal.samples.dtype.names]
        for time, row in zip(signal.timestamps, signal.samples):
            values = dict(zip(names, row))
            data = values.pop("DataBytes", None)
            frame = {name: int(value) for name, value in values.items()}
            if data is not None:
                frame["data"] = bytes(data[: frame["DataLength"]]).hex()
            frames.append([start_us + round(time * 1e6), event, frame])
for frame in sorted(frames, key=lambda frame: frame[0]):
    print(json.dumps(frame))
