import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';

/** Reports that are written out; the rest is only counted. */
const REPORTS_MAX = 20;

/** Says which lines were left out and why: the first ones by name, the rest as a sum at the end. */
export class MalformedReports {
  private count = 0;

  constructor(
    /** The file or command. */
    private readonly place: string,
    private readonly logger: Logger,
  ) {}

  report(line: number, reason: string): void {
    this.count++;
    if (this.count > REPORTS_MAX) return;
    this.logger.warn({ place: this.place, line, reason }, `Left out line ${line}: ${reason}.`);
  }

  /** At the source's end. */
  finish(): void {
    if (this.count <= REPORTS_MAX) return;
    const { place, count } = this;
    this.logger.warn(
      { place, count },
      `Left out ${count} lines in all; the first ${REPORTS_MAX} are named above.`,
    );
  }

  /** What a strict source stops with. */
  error(line: number, reason: string): FleetlogError {
    return new FleetlogError(
      'FLEETLOG_SOURCE_MALFORMED',
      `${this.place}:${line}: ${reason}. Correct the line, or run without strict to leave it out.`,
    );
  }
}
