"""Writes the messages of one file into another, as python-can does. Usage: convert_with_python_can.py FROM TO"""
import sys

import can

with can.Logger(sys.argv[2]) as log:
    for message in can.LogReader(sys.argv[1]):
        log.on_message_received(message)
