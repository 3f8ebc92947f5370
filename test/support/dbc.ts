import { existsSync, globSync } from 'node:fs';
import { parseDbc, type ParsedDatabase } from '#cloud/signals/dbc/parser.js';

/** A database of one message with these signals, as text. */
export const messageText = (signals: readonly string[], head = 'BO_ 256 Message: 8 Node'): string =>
  `VERSION ""\n\nBU_: Node\n\n${head}\n${signals.map((signal) => ` SG_ ${signal}\n`).join('')}\n`;

export const parseText = (text: string): ParsedDatabase => parseDbc(Buffer.from(text));

const folder = '../shared/data/can-dbc';

/** Databases of other projects; empty where they aren't here. */
export const realDatabases = (): string[] =>
  existsSync(folder) ? globSync(`${folder}/**/*.dbc`).sort() : [];

export const whyNoRealDatabases = `there are no databases in ${folder}`;
