import type { MessageSpec } from '../ecu/description.js';

/** Parameter groups as senders of these addresses broadcast them (SAE J1939-21: priority, group, source address). */
export const j1939Groups =
  <Sender extends string>(addresses: Readonly<Record<Sender, number>>) =>
  (
    [name, number, priority]: [name: string, number: number, priority: number],
    sender: Sender,
    cycleMs: number,
    comment: string,
    signals: MessageSpec['signals'],
    more: Pick<MessageSpec, 'event' | 'counter' | 'checksum'> = {},
  ): MessageSpec => ({
    name,
    id: priority * 2 ** 26 + number * 0x100 + addresses[sender],
    extended: true,
    sender,
    length: 8,
    cycleMs,
    wakesMs: 250,
    comment,
    signals,
    ...more,
  });

/** Two bits as SAE J1939-71 has them. */
export const twoBits = { 0: 'Off', 1: 'On', 2: 'Error', 3: 'NotAvailable' };
