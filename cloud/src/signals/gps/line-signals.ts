import type { LineSignal } from '../stream-signal.js';
import { typesOf, type ReportName } from './line-reader.js';
import { modeLabels, positionSignals } from './position.js';

/** Changes when the same reports give other values. */
const version = '1';

/** What people know of a value, wherever it stands. */
interface Described {
  name: string;
  unit: string;
  comment: string;
  labels?: ReadonlyMap<number, string>;
}

/** The signals of a stream in which reports of these types come: the position that they tell, and what each says. */
export function lineSignals(gateway: string, stream: string, types: readonly ReportName[]): LineSignal[] {
  const found: LineSignal[] = [];
  const add = (
    database: string,
    type: string,
    dialect: LineSignal['dialect'],
    signals: readonly Described[],
  ): void => {
    for (const [place, { name, unit, comment, labels }] of signals.entries()) {
      found.push({
        kind: 'lines',
        gateway,
        stream,
        name: `${type}/${name}`,
        unit,
        comment,
        cycleTimeMs: undefined,
        labels,
        database,
        version,
        fromUs: undefined,
        toUs: undefined,
        dialect,
        type,
        place,
      });
    }
  };
  const known = types.flatMap(({ dialect, name }) =>
    typesOf[dialect].filter((type) => type.name === name).map((type) => ({ dialect, type })),
  );
  if (known.some(({ type }) => type.observe)) add('position', 'position', undefined, described);
  for (const { dialect, type } of known) add(dialect, type.name, dialect, type.signals);
  return found;
}

const described: readonly Described[] = positionSignals.map((one) =>
  one.name === 'mode' ? { ...one, labels: modeLabels } : one,
);
