/** What the doctor looks at, in the order in which it is told. */
export const areas = ['system', 'disk', 'clock', 'can', 'serial', 'gps', 'cloud'] as const;
type Area = (typeof areas)[number];

/** One thing that was looked at. */
export interface Finding {
  area: Area;
  /** `note`: worth knowing, and nothing is wrong with it. */
  verdict: 'fine' | 'note' | 'wrong';
  /** A sentence. */
  says: string;
  /** The command, or the change of the configuration, that mends it. */
  mend?: string;
}

/** Findings of one area. */
export class Findings {
  readonly list: Finding[] = [];

  constructor(private readonly area: Area) {}

  fine(says: string): void {
    this.list.push({ area: this.area, verdict: 'fine', says });
  }

  note(says: string, mend?: string): void {
    this.list.push({ area: this.area, verdict: 'note', says, ...(mend !== undefined && { mend }) });
  }

  wrong(says: string, mend?: string): void {
    this.list.push({ area: this.area, verdict: 'wrong', says, ...(mend !== undefined && { mend }) });
  }
}
