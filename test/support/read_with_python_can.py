"""Prints the messages of a file as python-can reads them: one JSON array per line. Usage: read_with_python_can.py FILE"""
import json
import sys

import can

options = {"relative_timestamp": False} if sys.argv[1].endswith(".asc") else {}
for message in can.LogReader(sys.argv[1], **options):
    print(
        json.dumps(
            [
                round(message.timestamp * 1e6),
                message.channel,
                "error"
                if message.is_error_frame
                else "remote"
                if message.is_remote_frame
                else "fd"
                if message.is_fd
                else "data",
                message.arbitration_id,
                message.is_extended_id,
                message.bitrate_switch,
                message.error_state_indicator,
                message.is_rx,
                message.dlc,
                bytes(message.data).hex(),
            ]
        )
    )
