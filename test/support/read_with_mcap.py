"""Prints what the mcap package finds in a file, through its index: one JSON value per line. Usage: read_with_mcap.py FILE"""
import json
import sys

from mcap.reader import make_reader
from mcap.records import Chunk, ChunkIndex, Message, MessageIndex, Statistics
from mcap.stream_reader import StreamReader, breakup_chunk


def check_places():
    """What a doctor looks at: that indexes, statistics and chunks say the same, and that chunks are in order of time, or nearly so."""
    with open(sys.argv[1], "rb") as file:
        records = list(StreamReader(file, emit_chunks=True, validate_crcs=True).records)
    counts = {}
    last_end = 0
    chunks = []
    for record in records:
        if isinstance(record, Chunk):
            messages = [one for one in breakup_chunk(record, validate_crc=True) if isinstance(one, Message)]
            times = [message.log_time for message in messages]
            assert (record.message_start_time, record.message_end_time) == (min(times), max(times))
            # A position is known, and written, when the receiver begins to tell the next one.
            assert record.message_start_time >= last_end - 2 * 10**9, "chunks overlap"
            last_end = record.message_end_time
            for message in messages:
                assert message.sequence == counts.get(message.channel_id, 0), "a number is missing"
                counts[message.channel_id] = message.sequence + 1
            chunks.append((record, len(messages), []))
        elif isinstance(record, MessageIndex):
            chunks[-1][2].append(record)
    for chunk, messages, indexes in chunks:
        entries = [(time, offset) for index in indexes for time, offset in index.records]
        assert len(entries) == messages
        data = {one.log_time for one in breakup_chunk(chunk) if isinstance(one, Message)}
        assert {time for time, _ in entries} == data
    chunk_indexes = [record for record in records if isinstance(record, ChunkIndex)]
    assert [(c.message_start_time, c.uncompressed_size) for c in chunk_indexes] == [
        (chunk.message_start_time, chunk.uncompressed_size) for chunk, _, _ in chunks
    ]
    [statistics] = [record for record in records if isinstance(record, Statistics)]
    assert statistics.channel_message_counts == {**{i: 0 for i in range(statistics.channel_count)}, **counts}
    assert statistics.chunk_count == len(chunks)


check_places()
with open(sys.argv[1], "rb") as file:
    reader = make_reader(file, validate_crcs=True)
    summary = reader.get_summary()
    print(
        json.dumps(
            {
                "messages": summary.statistics.message_count,
                "compressions": sorted({chunk.compression for chunk in summary.chunk_indexes}),
                "topics": sorted(channel.topic for channel in summary.channels.values()),
                "schemas": sorted(schema.name for schema in summary.schemas.values()),
            }
        )
    )
    for schema, channel, message in reader.iter_messages():
        properties = json.loads(schema.data)["properties"]
        value = json.loads(message.data)
        assert schema.encoding == "jsonschema" and channel.message_encoding == "json"
        assert set(value) <= set(properties), f"{value} has fields that {schema.name} doesn't know"
        print(json.dumps([channel.topic, message.log_time // 1000, value]))
