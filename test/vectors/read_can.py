"""Reads `can-1` (shared/src/can/format-can-1.md). Plain rather than fast."""

FD = 0x08  # flag of CAN FD frames
FD_LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64]
TIME_LIMIT_US = 2**31 - 1
STATE_MIN = 1 << 15
WEIGHTS = [0, 1, 2, 3, 5, 8, 13, 23, 38, 64, 108, 181, 304, 512, 861, 1448]

# Columns of symbols, in the order of their tables; changes have four levels, ranks two
FOLLOWER, TIME, FIRST, LANE, CHANGES, RANKS, COLUMNS = 0, 1, 2, 3, 4, 8, 10
FREQUENT_MAX = 31

CONSTANT, RARE, PLAIN, CHANGE, CURVE, WIDE, DISTANCE, SUM, RECENT_CHANGE, RECENT_VALUE = range(10)
# Of each symbol of a lane: its kind and its level
LANES = [(CONSTANT, 0), (RARE, 0), (PLAIN, 0)]
LANES += [(kind, level) for kind in (CHANGE, CURVE, WIDE, DISTANCE, SUM) for level in range(4)]
LANES += [(kind, level) for kind in (RECENT_CHANGE, RECENT_VALUE) for level in range(2)]
RARITY = 8
RECENT_START = [0, 1, 255, 2, 254, 3, 253]


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused("MALFORMED")


def unzigzag(value):
    return -(value + 1) // 2 if value & 1 else value // 2


def int32(value):
    return (value + 2**31) % 2**32 - 2**31


# --- facts ------------------------------------------------------------------------------------------------------


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        need(self.at + length <= len(self.data))
        self.at += length
        return self.data[self.at - length : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = 0
        for shift in range(0, 56, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(value < 2**53)
                return value
        raise Refused("MALFORMED")

    def block(self):
        return self.take(self.varint())


def read_facts(content, header, unzip):
    size, stored = content.varint(), content.varint()
    need(size <= header["rawBytes"])
    facts = Bytes(content.take(size) if stored == 0 else unzip(content.take(stored), size))
    base = header["firstTimeUs"] + unzigzag(facts.varint())
    style = facts.byte()
    need(style & 7 <= 6 and style < 128)
    bus_count = facts.varint()
    need(bus_count <= 255)
    buses = [facts.block().decode("utf-8") for _ in range(bus_count)]
    verbatim, index = [], -1
    for _ in range(facts.varint()):
        index += 1 + facts.varint()
        need(index < header["recordCount"])
        verbatim.append([index, facts.block().hex()])
    need(facts.at == size)
    style = {
        "decimals": style & 7,
        "lowerCase": style & 8 != 0,
        "crlf": style & 16 != 0,
        "padded": style & 32 != 0,
        "trimmed": style & 64 != 0,
    }
    return size, base, buses, style, verbatim


# --- bits and symbols -------------------------------------------------------------------------------------------


class Bits:
    """Plain bits, the low ones of each byte first."""

    def __init__(self, data):
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count):
        need(count <= self.left)
        self.left -= count
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken

    def number(self):
        value, shift = 0, 0
        while True:
            group = self.take(4)
            value |= (group >> 1) << shift
            need(value < 2**32 and shift <= 30)
            if group & 1 == 0:
                return value
            shift += 3

    def close(self):
        need(self.left < 8 and self.value == 0)


class Symbols:
    """rANS with two states that take turns within each column."""

    def __init__(self, tables, data):
        self.tables = []
        for _ in range(COLUMNS):
            size = tables.take(7)
            need(size <= 64)
            weights = [tables.take(4) for _ in range(size)]
            need(size == 0 or weights[-1] > 0)
            self.tables.append(slots_of(weights))
        need(len(data) >= 8 and len(data) % 2 == 0)
        self.words = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
        self.states = [self.words[0] << 16 | self.words[1], self.words[2] << 16 | self.words[3]]
        self.at = 4
        need(all(STATE_MIN <= state < 2**31 for state in self.states))

    def column(self, table, count):
        slots = self.tables[table]
        need(slots or count == 0)
        symbols = []
        for i in range(count):
            state = self.states[i % 2]
            symbol, frequency, place = slots[state % 512]
            state = frequency * (state // 512) + place
            if state < STATE_MIN:
                need(self.at < len(self.words))
                state = state << 16 | self.words[self.at]
                self.at += 1
            self.states[i % 2] = state
            symbols.append(symbol)
        return symbols

    def close(self):
        need(self.states == [STATE_MIN, STATE_MIN] and self.at == len(self.words))


def slots_of(weights):
    """Of each of 512 slots: symbol, its frequency, the slot's place among those of the symbol."""
    values = [WEIGHTS[weight] for weight in weights]
    shared = 512 - sum(1 for value in values if value)
    frequencies = [value and 1 + value * shared // sum(values) for value in values]
    if values:
        frequencies[values.index(max(values))] += 512 - sum(frequencies)
    return [(symbol, count, place) for symbol, count in enumerate(frequencies) for place in range(count)]


# --- channels and their order -----------------------------------------------------------------------------------


def read_channels(bits, frame_count, bus_count):
    channels = []
    bus = flags = length = dlc = None
    channel_count = bits.number()
    need(channel_count <= frame_count)
    for _ in range(channel_count):
        if bits.take(1):
            need(channels)
        else:
            bus, flags, length = bits.take(8), bits.take(8), bits.take(7)
            need(bus < bus_count and length <= 64)
            dlc = canonical_dlc(flags, length) if bits.take(1) else bits.take(8)
        identifier = bits.take(32 if bits.take(1) else 11)
        channels.append({"id": identifier, "bus": bus, "flags": flags, "length": length, "dlc": dlc})
    return channels


def canonical_dlc(flags, length):
    return next(dlc for dlc, most in enumerate(FD_LENGTHS) if most >= length) if flags & FD else length


def read_order(symbols, bits, frame_count, channel_count):
    need((frame_count == 0) == (channel_count == 0))
    if frame_count == 0:
        return []
    followers = [[] for _ in range(channel_count)]
    digits = (channel_count - 1).bit_length()
    order, known = [0], 1
    for place in symbols.column(FOLLOWER, frame_count - 1):
        row = followers[order[-1]]
        if place < 8:
            need(place < len(row))
            channel = row[place]
            row[place] = row[0]
            row[0] = channel
        else:
            need(place <= 9)
            channel = bits.take(digits) if place == 8 else known
            known += place == 9
            need(channel < known <= channel_count)
            if row:
                row.append(row[0])
                row[0] = channel
                if len(row) > 8:
                    row[7:] = row[8:]
            else:
                row.append(channel)
        order.append(channel)
    need(known == channel_count)
    return order


# --- times ------------------------------------------------------------------------------------------------------


def read_times(symbols, bits, count):
    unit = bits.number()
    need(1 <= unit <= 1_000_000)
    if count == 0:
        return []
    times = [int32(bits.take(32))]
    frequent, least = [], 0
    for _ in range(bits.take(5)):
        frequent.append(least + bits.number())
        least = frequent[-1] + 1
    for symbol in symbols.column(TIME, count - 1):
        if symbol < FREQUENT_MAX:
            need(symbol < len(frequent))
            step = frequent[symbol]
        else:
            digits = symbol - FREQUENT_MAX
            step = digits if digits < 2 else 1 << digits - 1 | bits.take(digits - 1)
            step = unzigzag(step)
        times.append(int32(times[-1] + step))
    offsets = [time * unit for time in times]
    need(all(abs(offset) <= TIME_LIMIT_US for offset in offsets))
    return offsets


# --- data -------------------------------------------------------------------------------------------------------


def read_data(symbols, bits, channels, order):
    """Of each channel, the data of its frames."""
    counts = [order.count(i) for i in range(len(channels))]
    firsts = read_firsts(symbols, bits, channels)
    several = [i for i, count in enumerate(counts) if count > 1]
    column = iter(symbols.column(LANE, sum(channels[i]["length"] for i in several)))
    lanes = {i: [take_lane(next(column)) for _ in range(channels[i]["length"])] for i in several}
    changes, ranks = [0] * 4, [0] * 2  # lengths of columns
    others, summands = {}, {}
    for i in several:
        others[i], summands[i] = read_details(bits, lanes[i])
        for kind, level in lanes[i]:
            if kind in (CHANGE, CURVE, WIDE, DISTANCE, SUM):
                changes[level] += counts[i] - 1
            elif kind in (RECENT_CHANGE, RECENT_VALUE):
                ranks[level] += counts[i] - 1
    events = [read_events(bits, counts[i]) for i in several for kind, _ in lanes[i] if kind == RARE]
    changes = [iter(read_numbers(symbols, bits, CHANGES + level, length)) for level, length in enumerate(changes)]
    ranks = [iter(symbols.column(RANKS + level, length)) for level, length in enumerate(ranks)]
    events = iter(events)
    data = []
    for i, first in enumerate(firsts):
        frames = [bytearray(first) for _ in range(counts[i])]
        if counts[i] > 1:
            fill(bits, frames, lanes[i], others[i], summands[i], events, changes, ranks)
        data.append(frames)
    return data


def read_firsts(symbols, bits, channels):
    column = iter(symbols.column(FIRST, sum(channel["length"] for channel in channels)))
    firsts, value = [], 0
    for channel in channels:
        first = []
        for _ in range(channel["length"]):
            symbol = next(column)
            need(symbol <= 3)
            value = (0, 255, value, None)[symbol]
            if value is None:
                value = bits.take(8)
            first.append(value)
        firsts.append(first)
    return firsts


def take_lane(symbol):
    need(symbol < len(LANES))
    return LANES[symbol]


def read_details(bits, lanes):
    """The other lane of each DISTANCE lane, and which lanes are added to the SUM lane. Makes pairs of WIDE lanes."""
    others = [None] * len(lanes)
    for lane, (kind, _) in enumerate(lanes):
        if kind == DISTANCE:
            others[lane] = bits.take(6)
            need(others[lane] < lane and (lanes[others[lane]] or [None])[0] != SUM)
        elif kind == WIDE:
            need(lane + 1 < len(lanes) and lanes[lane + 1][0] == CONSTANT)
            lanes[lane + 1] = (None, 0)
    kinds = [kind for kind, _ in lanes]
    need(kinds.count(SUM) <= 1)
    added = [SUM in kinds and kind not in (CONSTANT, SUM) and bits.take(1) == 1 for kind in kinds]
    return others, added


def read_events(bits, frame_count):
    """Of each change: how many frames after the last one it comes, and by how much."""
    count = bits.number()
    need(count > 0 and count * RARITY <= frame_count)
    events = [(bits.number() + 1, unzigzag(bits.number())) for _ in range(count)]
    need(sum(later for later, _ in events) < frame_count)
    return events


def read_numbers(symbols, bits, table, count):
    """Signed numbers: the symbols of all, then the bits of all."""
    column = symbols.column(table, count)
    need(all(symbol < 32 for symbol in column))
    numbers = []
    for symbol in column:
        digits = max(0, symbol // 2 - 1)
        numbers.append(unzigzag(symbol if symbol < 4 else (2 | symbol & 1) << digits | bits.take(digits)))
    return numbers


def fill(bits, frames, lanes, others, summands, events, changes, ranks):
    """Fills in the data of a channel's frames, which all are as the first one before."""
    later = frames[1:]
    for lane, (kind, level) in enumerate(lanes):
        value = frames[0][lane]
        if kind == RARE:
            at = 0
            for gap, change in next(events):
                at += gap
                value += change
                for frame in frames[at:]:
                    frame[lane] = value % 256
        elif kind == CHANGE:
            for frame in later:
                value += next(changes[level])
                frame[lane] = value % 256
        elif kind == CURVE:
            slope = 0
            for frame in later:
                slope += next(changes[level])
                value += slope
                frame[lane] = value % 256
        elif kind == WIDE:
            value = value << 8 | frames[0][lane + 1]
            for frame in later:
                value += next(changes[level])
                frame[lane], frame[lane + 1] = value >> 8 & 255, value & 255
        elif kind == DISTANCE:
            distance = value - frames[0][others[lane]]
            for frame in later:
                distance += next(changes[level])
                frame[lane] = (distance + frame[others[lane]]) % 256
        elif kind == PLAIN:
            for frame in later:
                frame[lane] = bits.take(8)
        elif kind in (RECENT_CHANGE, RECENT_VALUE):
            added = value if kind == RECENT_VALUE else 0
            recent = [(start + added) % 256 for start in RECENT_START]
            for frame in later:
                rank = next(ranks[level])
                need(rank <= 7)
                found = recent.pop(rank) if rank < 7 else bits.take(8)
                recent = [found, *recent][:7]
                value = found if kind == RECENT_VALUE else (value + found) % 256
                frame[lane] = value
    for lane, (kind, level) in enumerate(lanes):
        if kind == SUM:
            added = [sum(frame[i] for i, is_added in enumerate(summands) if is_added) for frame in frames]
            total = frames[0][lane] + added[0]
            for i in range(1, len(frames)):
                total += next(changes[level])
                frames[i][lane] = (total - added[i]) % 256


# --- all together -----------------------------------------------------------------------------------------------


def read_can(header, payload, unzip):
    """The records as the vectors' JSON has them. `unzip(frame, size)` is the zstd of the other codecs."""
    count = header["recordCount"]
    content = Bytes(payload)
    facts_bytes, base, buses, style, verbatim = read_facts(content, header, unzip)
    table_bytes, bit_bytes = content.varint(), content.varint()
    tables, bits = Bits(content.take(table_bytes)), Bits(content.take(bit_bytes))
    symbols = Symbols(tables, payload[content.at :])
    tables.close()
    channels = read_channels(bits, count, len(buses))
    order = read_order(symbols, bits, count, len(channels))
    need(facts_bytes + sum(channels[i]["length"] for i in order) == header["rawBytes"])
    times = [base + offset for offset in read_times(symbols, bits, len(order))]
    data = [iter(frames) for frames in read_data(symbols, bits, channels, order)]
    symbols.close()
    bits.close()
    frames = [
        {
            "timeUs": time,
            "bus": buses[channels[i]["bus"]],
            "id": channels[i]["id"],
            "flags": channels[i]["flags"],
            "dlc": channels[i]["dlc"],
            "data": next(data[i]).hex(),
        }
        for time, i in zip(times, order)
    ]
    return {"style": style, "frames": frames, "verbatim": verbatim}
