import { allSignals, type MessageSpec, type NetworkSpec, type SignalSpec } from './description.js';

const EXTENDED = 0x8000_0000;
/** Of `VFrameFormat`, as the common tools have it. */
const frameFormats = ['StandardCAN', 'ExtendedCAN', 'reserved', 'J1939PG'];

/** Writes the database of a network: what each of its frames means, with labels, cycle times and comments. */
export function dbcText(network: NetworkSpec): string {
  const { messages, nodes } = network;
  const names = Object.keys(nodes);
  const lines = [
    'VERSION "1"',
    '',
    'NS_ :',
    '',
    'BS_:',
    '',
    `BU_: ${names.join(' ')}`,
    ...messages.flatMap((message) => ['', ...messageLines(message, names)]),
    '',
    `CM_ "${network.name}: the network of a simulated vehicle. No such vehicle exists.";`,
    ...names.map((name) => `CM_ BU_ ${name} "${nodes[name]}";`),
    ...messages.flatMap(commentLines),
    'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;',
    'BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","CyclicAndSpontaneous";',
    `BA_DEF_ BO_ "VFrameFormat" ENUM ${frameFormats.map((name) => `"${name}"`).join(',')};`,
    'BA_DEF_ "BusType" STRING;',
    'BA_DEF_ "Baudrate" INT 1000 1000000;',
    'BA_DEF_DEF_ "GenMsgCycleTime" 0;',
    'BA_DEF_DEF_ "GenMsgSendType" "Cyclic";',
    'BA_DEF_DEF_ "VFrameFormat" "StandardCAN";',
    'BA_DEF_DEF_ "BusType" "CAN";',
    'BA_DEF_DEF_ "Baudrate" 500000;',
    'BA_ "BusType" "CAN";',
    `BA_ "Baudrate" ${network.bitrate};`,
    ...messages.flatMap((message) => [
      `BA_ "GenMsgCycleTime" BO_ ${dbcId(message)} ${message.cycleMs};`,
      ...(message.event ? [`BA_ "GenMsgSendType" BO_ ${dbcId(message)} 1;`] : []),
      ...(message.extended ? [`BA_ "VFrameFormat" BO_ ${dbcId(message)} 3;`] : []),
    ]),
    ...messages.flatMap((message) =>
      message.signals
        .filter(({ labels }) => labels)
        .map(({ name, labels = {} }) => `VAL_ ${dbcId(message)} ${name} ${labelText(labels)} ;`),
    ),
    '',
  ];
  return lines.join('\n');
}

const dbcId = ({ id, extended }: MessageSpec): number => (extended ? id + EXTENDED : id);

function messageLines(message: MessageSpec, nodes: readonly string[]): string[] {
  const receivers = nodes.filter((name) => name !== message.sender).join(',') || 'Vector__XXX';
  const { name, length, sender } = message;
  return [
    `BO_ ${dbcId(message)} ${name}: ${length} ${sender}`,
    ...allSignals(message).map((signal) => signalLine(signal, receivers)),
  ];
}

function signalLine(signal: SignalSpec, receivers: string): string {
  const { name, start, length, intel, signed, factor, offset, unit } = signal;
  const [low, high] = physicalRange(signal);
  const order = `${intel ? 1 : 0}${signed ? '-' : '+'}`;
  return ` SG_ ${name} : ${start}|${length}@${order} (${factor},${offset}) [${low}|${high}] "${unit}" ${receivers}`;
}

/** What the raw values can say; rounded, since binary fractions have dust. */
function physicalRange({ length, signed, factor, offset }: SignalSpec): [number, number] {
  const rawLow = signed ? -(2 ** (length - 1)) : 0;
  const rawHigh = signed ? 2 ** (length - 1) - 1 : 2 ** length - 1;
  const clean = (raw: number): number => Number((raw * factor + offset).toPrecision(12));
  return [clean(rawLow), clean(rawHigh)];
}

function commentLines(message: MessageSpec): string[] {
  return [
    `CM_ BO_ ${dbcId(message)} "${message.comment}";`,
    ...allSignals(message)
      .filter(({ comment }) => comment)
      .map(({ name, comment }) => `CM_ SG_ ${dbcId(message)} ${name} "${comment}";`),
  ];
}

const labelText = (labels: Readonly<Record<number, string>>): string =>
  Object.entries(labels)
    .map(([raw, label]) => `${raw} "${label}"`)
    .join(' ');
