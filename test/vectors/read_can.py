"""Reads `can-1` (shared/src/can/format-can-1.md). Plain rather than fast."""

FD = 0x08  # flag of CAN FD frames
FD_LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64]
TIME_LIMIT_US = 2**31 - 1
STATE_MIN = 1 << 15
WEIGHTS = [0, 1, 2, 3, 5, 8, 13, 23, 38, 64, 108, 181, 304, 512, 861, 1448]

# Tables of the coder: how many each column has, in their order
SMALL, FORM, FIRST, LANE, FOLLOWER, TICK, DEVIATION, CHANGES, RANKS = 0, 1, 2, 6, 9, 14, 18, 20, 25
TABLES = 28
# Of columns whose table follows the scale: the least scale of the second table, the third, and so on
BOUNDS = {DEVIATION: [40], CHANGES: [4, 12, 24, 40], RANKS: [4, 12]}

CONSTANT, CHANGE, CURVE, RECENT_CHANGE, RECENT_VALUE, WIDE, PLAIN, DISTANCE, SUM = range(9)
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
    need(style & 7 <= 6 and style < 64)
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
    }
    return size, base, buses, style, verbatim


# --- coder ------------------------------------------------------------------------------------------------------


class Symbols:
    """rANS with two states that take turns."""

    def __init__(self, data):
        need(len(data) >= 8 and len(data) % 2 == 0)
        self.words = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
        self.state = self.words[0] << 16 | self.words[1]
        self.other = self.words[2] << 16 | self.words[3]
        self.at = 4
        need(STATE_MIN <= self.state < 2**31 and STATE_MIN <= self.other < 2**31)
        self.tables = []
        for _ in range(TABLES):
            size = self.bits(6)
            need(size <= 32)
            self.tables.append(slots_of([self.bits(4) for _ in range(size)]))

    def close(self):
        need(self.state == self.other == STATE_MIN and self.at == len(self.words))

    def advance(self, state):
        if state < STATE_MIN:
            need(self.at < len(self.words))
            state = state << 16 | self.words[self.at]
            self.at += 1
        self.state, self.other = self.other, state

    def symbol(self, table):
        symbol, frequency, place = self.tables[table][self.state % 512]
        self.advance(frequency * (self.state // 512) + place)
        return symbol

    def bits(self, count):
        value = self.state % 2**count
        self.advance(self.state >> count)
        return value

    def word(self):
        return self.bits(11) | self.bits(11) << 11 | self.bits(10) << 22

    def number(self, table):
        return self.rest(self.symbol(table))

    def number_up_to(self, table, most):
        value = self.number(table)
        need(value <= most)
        return value

    def rest(self, symbol):
        if symbol < 4:
            return symbol
        if symbol == 31:
            return self.word()
        count = symbol // 2 - 1
        return (2 | symbol & 1) << count | self.bits(count)

    def columns(self, tables, lengths):
        """Columns of symbols, each with a scale that picks the table."""
        columns = []
        for length in lengths:
            scale, column = 24, []
            for _ in range(length):
                symbol = self.symbol(tables + sum(scale >= bound for bound in BOUNDS[tables]))
                column.append(symbol)
                scale += (8 * symbol - scale) >> 2
            columns.append(column)
        return columns

    def numbers(self, tables, lengths):
        """Columns of signed numbers: the symbols of all, then the rests of all."""
        columns = self.columns(tables, lengths)
        return [[unzigzag(self.rest(symbol)) for symbol in column] for column in columns]


def slots_of(weights):
    """Of each of 512 slots: symbol, its frequency, the slot's place among those of the symbol."""
    values = [WEIGHTS[weight] for weight in weights]
    if not any(values):
        return [(0, 512, place) for place in range(512)]
    frequencies = [value and max(1, value * 512 // sum(values)) for value in values]
    frequencies[values.index(max(values))] += 512 - sum(frequencies)
    return [(symbol, count, place) for symbol, count in enumerate(frequencies) for place in range(count)]


# --- channels and their order -----------------------------------------------------------------------------------


def read_channels(symbols, frame_count, bus_count):
    channels = []
    bus = flags = length = dlc = None
    for _ in range(symbols.number_up_to(SMALL, frame_count)):
        form = symbols.symbol(FORM)
        need(form <= 5 and (form >= 2 or channels))
        if form >= 2:
            bus, flags = symbols.bits(8), symbols.bits(8)
            need(bus < bus_count)
            length = symbols.number_up_to(SMALL, 64)
            dlc = symbols.bits(8) if form >= 4 else canonical_dlc(flags, length)
        identifier = symbols.word() if form & 1 else symbols.bits(11)
        channels.append({"id": identifier, "bus": bus, "flags": flags, "length": length, "dlc": dlc})
    return channels


def canonical_dlc(flags, length):
    return next(dlc for dlc, most in enumerate(FD_LENGTHS) if most >= length) if flags & FD else length


def read_order(symbols, frame_count, channel_count):
    followers = [[] for _ in range(channel_count + 1)]  # the last one is of the start
    latest, period, due = [None] * channel_count, [0] * channel_count, [0] * channel_count
    order, known, previous = [], 0, channel_count

    def phase(channel, i):
        if period[channel] == 0:
            return 1
        late, tolerance = i - latest[channel] - (period[channel] >> 4), period[channel] >> 7
        return 4 if late > tolerance else 3 if late >= -tolerance else 2

    for i in range(frame_count):
        row = followers[previous]
        candidates = [channel for channel in row if due[channel] <= i]
        symbol = symbols.symbol(FOLLOWER + (phase(candidates[0], i) if candidates else 0))
        if symbol < 8:
            need(symbol < len(candidates))
            channel = candidates[symbol]
        elif symbol == 8:
            need(known > 0)
            digits = (known - 1).bit_length()
            channel = symbols.bits(digits - 15) << 15 if digits > 15 else 0
            channel |= symbols.bits(min(digits, 15)) if digits else 0
            need(channel < known)
        else:
            need(symbol == 9 and known < channel_count)
            channel, known = known, known + 1
        if channel in row:
            row.remove(channel)
        row.insert(0, channel)
        del row[8:]
        if latest[channel] is not None:
            distance = (i - latest[channel]) * 16
            mean = period[channel]
            period[channel] = distance if mean == 0 else mean + ((distance - mean) >> 2)
        latest[channel] = i
        due[channel] = i + (period[channel] * 5 >> 7)
        order.append(channel)
        previous = channel
    need(known == channel_count)
    return order


# --- times ------------------------------------------------------------------------------------------------------


def read_times(symbols, order, channel_count):
    unit = symbols.number_up_to(SMALL, 1_000_000)
    grid = symbols.number_up_to(SMALL, 1 << 20)
    times = read_ticks(symbols, order, channel_count, grid) if grid else read_differences(symbols, len(order))
    offsets = [time * unit for time in times]
    need(all(abs(offset) <= TIME_LIMIT_US for offset in offsets))
    return offsets


def read_differences(symbols, count):
    (differences,) = symbols.numbers(DEVIATION, [count])
    times, time = [], 0
    for difference in differences:
        time = int32(time + difference)
        times.append(time)
    return times


def read_ticks(symbols, order, channel_count, grid):
    recent = [1, 2, 3, 4, 5, 6]
    was_same, same = [0] * channel_count, 0
    steps = []  # of each frame: whether it is in the tick of the one before, and units or ticks later
    for channel in order:
        symbol = symbols.symbol(TICK + 2 * same + was_same[channel])
        need(symbol <= 11)
        same = int(symbol <= 4)
        if symbol < 4:
            later = symbol
        elif symbol == 4:
            later = 4 + symbols.number(SMALL)
        else:
            later = recent.pop(symbol - 5) if symbol < 11 else unzigzag(symbols.number(SMALL))
            recent.insert(0, later)
            del recent[6:]
        steps.append((same, later))
        was_same[channel] = same
    (deviations,) = symbols.numbers(DEVIATION, [sum(1 for same, _ in steps if not same)])
    deviations = iter(deviations)
    times, time, anchor = [], 0, 0
    for same, later in steps:
        if same:
            time += later
        else:
            expected, deviation = anchor + later * grid, next(deviations)
            time = expected + deviation
            anchor = expected + (deviation if abs(deviation) >= 16 else deviation >> 1)
        times.append(time)
    return times


# --- data -------------------------------------------------------------------------------------------------------


def read_data(symbols, channels, order):
    """Of each channel, the data of its frames."""
    counts = [order.count(i) for i in range(len(channels))]
    firsts, kinds, others, summands = [], [], [], []
    changes, ranks = [], []  # lengths of columns
    for channel, count in zip(channels, counts):
        first = read_first(symbols, channel["length"])
        firsts.append(first)
        of_lane = read_kinds(symbols, first) if count > 1 else []
        kinds.append(of_lane)
        plain = [kind for kind in of_lane if kind not in (SUM, None)]
        changes += [count - 1 for kind in plain if kind in (CHANGE, CURVE, WIDE, DISTANCE)]
        changes += [count - 1 for kind in of_lane if kind == SUM]
        ranks += [count - 1 for kind in plain if kind in (RECENT_CHANGE, RECENT_VALUE)]
        others.append([symbols.bits(6) if kind == DISTANCE else None for kind in of_lane])
        for lane, other in enumerate(others[-1]):
            need(other is None or (other < lane and of_lane[other] != SUM))
        need(of_lane.count(SUM) <= 1)
        summands.append(
            [SUM in of_lane and kind not in (CONSTANT, SUM) and symbols.bits(1) == 1 for kind in of_lane]
        )
    changes = iter(symbols.numbers(CHANGES, changes))
    ranks = iter(symbols.columns(RANKS, ranks))
    data = []
    for i, first in enumerate(firsts):
        frames = [bytearray(first) for _ in range(counts[i])]
        fill(symbols, frames, kinds[i], others[i], summands[i], changes, ranks)
        data.append(frames)
    return data


def read_first(symbols, length):
    first, symbol = [], 0
    for lane in range(length):
        symbol = symbols.symbol(FIRST + symbol)
        need(symbol <= 3)
        if symbol == 2:
            first.append(first[-1] if first else 0)
        else:
            first.append(0 if symbol == 0 else 255 if symbol == 1 else symbols.bits(8))
    return first


def read_kinds(symbols, first):
    """The kind of each lane; None for the second lane of a WIDE one."""
    kinds = []
    while len(kinds) < len(first):
        value = first[len(kinds)]
        kind = symbols.symbol(LANE + (0 if value == 0 else 1 if value == 255 else 2))
        need(kind <= SUM)
        kinds += [kind, None] if kind == WIDE else [kind]
    need(len(kinds) == len(first))
    return kinds


def fill(symbols, frames, kinds, others, summands, changes, ranks):
    """Fills in the data of a channel's frames, which all are as the first one before."""
    later = frames[1:]
    for lane, kind in enumerate(kinds):
        value = frames[0][lane]
        if kind == CHANGE:
            for frame, change in zip(later, next(changes)):
                value += change
                frame[lane] = value % 256
        elif kind == CURVE:
            slope = 0
            for frame, change in zip(later, next(changes)):
                slope += change
                value += slope
                frame[lane] = value % 256
        elif kind == WIDE:
            value = value << 8 | frames[0][lane + 1]
            for frame, change in zip(later, next(changes)):
                value += change
                frame[lane], frame[lane + 1] = value >> 8 & 255, value & 255
        elif kind == DISTANCE:
            distance = value - frames[0][others[lane]]
            for frame, change in zip(later, next(changes)):
                distance += change
                frame[lane] = (distance + frame[others[lane]]) % 256
        elif kind == PLAIN:
            for frame in later:
                frame[lane] = symbols.bits(8)
        elif kind in (RECENT_CHANGE, RECENT_VALUE):
            added = value if kind == RECENT_VALUE else 0
            recent = [(start + added) % 256 for start in RECENT_START]
            for frame, rank in zip(later, next(ranks)):
                need(rank <= 7)
                found = recent.pop(rank) if rank < 7 else symbols.bits(8)
                recent = [found, *recent][:7]
                value = found if kind == RECENT_VALUE else (value + found) % 256
                frame[lane] = value
    for lane, kind in enumerate(kinds):
        if kind == SUM:
            added = [sum(frame[i] for i, is_added in enumerate(summands) if is_added) for frame in frames]
            total = frames[0][lane] + added[0]
            for i, change in enumerate(next(changes), 1):
                total += change
                frames[i][lane] = (total - added[i]) % 256


# --- all together -----------------------------------------------------------------------------------------------


def read_can(header, payload, unzip):
    """The records as the vectors' JSON has them. `unzip(frame, size)` is the zstd of the other codecs."""
    count = header["recordCount"]
    content = Bytes(payload)
    facts_bytes, base, buses, style, verbatim = read_facts(content, header, unzip)
    symbols = Symbols(payload[content.at :])
    channels = read_channels(symbols, count, len(buses))
    order = read_order(symbols, count, len(channels))
    need(facts_bytes + sum(channels[i]["length"] for i in order) == header["rawBytes"])
    times = [base + offset for offset in read_times(symbols, order, len(channels))]
    data = [iter(frames) for frames in read_data(symbols, channels, order)]
    symbols.close()
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
