"""What the time really is, on a machine whose clock is wrong: true_time.py WALL_SECONDS PORT INTERFACE.

Serves it by NTP (RFC 5905) on 127.0.0.1:PORT, and sends it in a CAN frame (microseconds since 1970, big endian) each 20 ms.
It counts from WALL_SECONDS on, by CLOCK_MONOTONIC_RAW, which nothing sets or slews.
"""

import select
import socket
import struct
import sys
import time

EPOCH_1900 = 2208988800
EVERY = 0.02
IDENTIFIER = 0x123

wall, port, interface = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
start = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def now_ns():
    return int(wall * 1e9) + time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - start


def ntp(ns):
    return ((ns // 10**9 + EPOCH_1900) << 32) | ((ns % 10**9) << 32) // 10**9


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", port))
bus = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
bus.bind((interface,))
due = now_ns()
while True:
    wait = max(0.0, (due - now_ns()) / 1e9)
    readable, _, _ = select.select([server], [], [], wait)
    if readable:
        request, client = server.recvfrom(512)
        received = now_ns()
        # version 4, server, stratum 1, every 16 s, to 1 us
        head = struct.pack(">BBbbIII", 0x24, 1, 4, -20, 0, 0, 0x54525545)
        times = struct.pack(">QQQQ", ntp(received), int.from_bytes(request[40:48], "big"), ntp(received), ntp(now_ns()))
        server.sendto(head + times, client)
    if now_ns() >= due:
        bus.send(struct.pack("=IB3x8s", IDENTIFIER, 8, struct.pack(">Q", now_ns() // 1000)))
        due += int(EVERY * 1e9)
