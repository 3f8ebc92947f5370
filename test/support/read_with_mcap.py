"""Prints what the mcap package finds in a file, through its index: one JSON value per line. Usage: read_with_mcap.py FILE"""
import json
import sys

from mcap.reader import make_reader

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
