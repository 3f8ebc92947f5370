import type { Logger } from '@fleetlog/shared/log';

export interface LogEntry {
  level: 'debug' | 'info' | 'warn' | 'error';
  facts: Record<string, unknown>;
  message: string;
}

/** A logger whose entries can be looked at. */
export function captureLog(entries: LogEntry[] = []): Logger & { entries: LogEntry[] } {
  const write =
    (level: LogEntry['level']) =>
    (facts: object, message: string): void => {
      entries.push({ level, facts: { ...facts }, message });
    };
  return {
    entries,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => captureLog(entries),
  };
}
