const upperDigits = Uint8Array.from(Buffer.from('0123456789ABCDEF'));

/** Longest line: 64 data bytes and an interface name of 15 characters. */
export const LINE_BYTES_MAX = 192;

/** What comes behind the time and before the data: `) can0 123#`. */
export function lineHead(interfaceName: string, id: number, digits: 3 | 8, separator: string): Uint8Array {
  const text = id.toString(16).toUpperCase().padStart(digits, '0');
  return Uint8Array.from(Buffer.from(`) ${interfaceName} ${text}${separator}`));
}

/** Writes lines of `candump -L`; the text of a second is made once. */
export class CandumpLines {
  private second = -1;
  private readonly secondText = new Uint8Array(10);

  /** Writes one line at `at`; returns the place behind it. */
  write(out: Uint8Array, at: number, timeUs: number, head: Uint8Array, data: Uint8Array): number {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.second) {
      this.second = second;
      this.secondText.set(Buffer.from(String(second).padStart(10, '0')));
    }
    let micros = timeUs - second * 1e6;
    out[at++] = 40; // (
    for (let i = 0; i < this.secondText.length; i++) out[at++] = this.secondText[i];
    out[at] = 46; // .
    for (let i = 6; i > 0; i--) {
      const rest = Math.floor(micros / 10);
      out[at + i] = 48 + micros - rest * 10;
      micros = rest;
    }
    at += 7;
    for (let i = 0; i < head.length; i++) out[at++] = head[i];
    for (let i = 0; i < data.length; i++) {
      out[at++] = upperDigits[data[i] >>> 4];
      out[at++] = upperDigits[data[i] & 15];
    }
    out[at++] = 10;
    return at;
  }
}

/** On the bus the lower identifier wins, and a standard one over an extended one with the same first 11 bits. */
export const arbitrationPriority = (id: number, extended: boolean): number =>
  extended ? id + 0.5 : id * 2 ** 18;
