import type { ErrorCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';

const quietUs = 10_000_000;

/** Counts what is refused by code; says the first of each code at once, and then at most one in ten seconds. */
export class Refusals {
  readonly byCode: Record<string, number> = {};
  private readonly said = new Map<ErrorCode, { atUs: number; count: number }>();

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {}

  count(code: ErrorCode, message: string, facts: object): void {
    const count = (this.byCode[code] ?? 0) + 1;
    this.byCode[code] = count;
    const nowUs = this.clock.monotonicUs();
    const last = this.said.get(code);
    if (last && nowUs - last.atUs < quietUs) return;
    this.said.set(code, { atUs: nowUs, count });
    this.logger.warn({ code, ...facts, sinceLastTime: count - (last?.count ?? 0) }, `refused: ${message}`);
  }
}
