import { McapFile } from './mcap-file.js';
import type { SignalColumn, SignalFormatter } from './signals.js';

/** Signals of one message of a database, or of one report. */
interface Topic {
  topic: string;
  gateway: string;
  stream: string;
  /** Places in the row, with the names and units of their fields. */
  fields: { column: number; key: string; unit: string }[];
  channel: number | undefined;
}

/**
 * A channel `/gateway/stream/Message` for each message that some of the signals are of; its JSON messages have a field
 * for each of these, where it has a value at that time. A signal that a vehicle has on several gateways is told under
 * the first.
 */
export class McapSignalFormatter implements SignalFormatter {
  private readonly topics: Topic[];

  constructor(
    columns: readonly SignalColumn[],
    private readonly file = new McapFile(),
  ) {
    const byTopic = new Map<string, Topic>();
    for (const [column, { signals }] of columns.entries()) {
      const [{ gateway, stream, name, unit }] = signals;
      const slash = name.lastIndexOf('/');
      const topic = `/${gateway}/${stream}${slash < 0 ? '' : `/${name.slice(0, slash)}`}`;
      let known = byTopic.get(topic);
      known ??= { topic, gateway, stream, fields: [], channel: undefined };
      known.fields.push({ column, key: name.slice(slash + 1), unit });
      byTopic.set(topic, known);
    }
    this.topics = [...byTopic.values()];
  }

  row(timeUs: number, values: readonly (number | undefined)[]): Uint8Array {
    for (const topic of this.topics) {
      let json = '';
      for (const { column, key } of topic.fields) {
        const value = values[column];
        if (value !== undefined) json += `${json && ','}${JSON.stringify(key)}:${JSON.stringify(value)}`;
      }
      if (json === '') continue;
      topic.channel ??= this.open(topic);
      this.file.add(topic.channel, timeUs, `{${json}}`);
    }
    return this.file.take();
  }

  end(): Uint8Array {
    this.file.end();
    return this.file.take();
  }

  private open({ topic, gateway, stream, fields }: Topic): number {
    const properties = fields.map(({ key, unit }) => [key, { type: 'number', description: unit }] as const);
    return this.file.addChannel({
      topic,
      schema: `signals.${topic.slice(1).replaceAll('/', '.')}`,
      properties: { properties: Object.fromEntries(properties) },
      metadata: { gateway, stream },
    });
  }
}
