/**
 * The one table of error codes. Callers decide by `code` or by the predicates below; messages may change.
 *
 * - `usage`: a person gave something that can't work (exit status 2)
 * - `data`: bytes that aren't what they claim to be; refused and counted, never retried
 * - `resource`: disk, port, lock or memory isn't there now
 * - `link`: the other side can't be reached now
 * - `defect`: ours
 */
export type ErrorClass = 'usage' | 'data' | 'resource' | 'link' | 'defect';

const table = {
  FLEETLOG_USAGE: { class: 'usage', retryable: false },
  FLEETLOG_CONFIG: { class: 'usage', retryable: false },
  FLEETLOG_DATABASE: { class: 'usage', retryable: false },
  FLEETLOG_CHANGED: { class: 'usage', retryable: false },
  FLEETLOG_NOT_FOUND: { class: 'usage', retryable: false },
  FLEETLOG_BATCH_MALFORMED: { class: 'data', retryable: false },
  FLEETLOG_BATCH_CHECKSUM: { class: 'data', retryable: false },
  FLEETLOG_BATCH_VERSION: { class: 'data', retryable: false },
  FLEETLOG_BATCH_CODEC: { class: 'data', retryable: false },
  FLEETLOG_BATCH_LIMIT: { class: 'data', retryable: false },
  FLEETLOG_MESSAGE_MALFORMED: { class: 'data', retryable: false },
  FLEETLOG_TOPIC: { class: 'data', retryable: false },
  FLEETLOG_FOREIGN_GATEWAY: { class: 'data', retryable: false },
  FLEETLOG_LOGIN: { class: 'data', retryable: false },
  FLEETLOG_SOURCE_MALFORMED: { class: 'data', retryable: false },
  FLEETLOG_SOURCE: { class: 'resource', retryable: true },
  FLEETLOG_LOCKED: { class: 'resource', retryable: false },
  FLEETLOG_PORT_TAKEN: { class: 'resource', retryable: false },
  FLEETLOG_CONNECTIONS: { class: 'resource', retryable: true },
  FLEETLOG_PLATFORM: { class: 'resource', retryable: false },
  FLEETLOG_NAMES_LIMIT: { class: 'resource', retryable: true },
  FLEETLOG_BUSY: { class: 'resource', retryable: true },
  FLEETLOG_STORE: { class: 'resource', retryable: true },
  FLEETLOG_STORE_BROKEN: { class: 'resource', retryable: false },
  FLEETLOG_STORE_FULL: { class: 'resource', retryable: true },
  FLEETLOG_SYNC: { class: 'resource', retryable: true },
  FLEETLOG_UNREACHABLE: { class: 'link', retryable: true },
  FLEETLOG_INTERRUPTED: { class: 'link', retryable: true },
  FLEETLOG_DEFECT: { class: 'defect', retryable: false },
} as const satisfies Record<string, { class: ErrorClass; retryable: boolean }>;

export type ErrorCode = keyof typeof table;

/** An error whose message is one sentence that says what to do. */
export class FleetlogError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FleetlogError';
    this.code = code;
  }

  get class(): ErrorClass {
    return table[this.code].class;
  }

  get retryable(): boolean {
    return table[this.code].retryable;
  }
}

export function isFleetlogError(error: unknown, code?: ErrorCode): error is FleetlogError {
  return error instanceof FleetlogError && (code === undefined || error.code === code);
}

/** True where bytes were refused because of what they hold: never worth a retry. */
export function isDataError(error: unknown): error is FleetlogError {
  return error instanceof FleetlogError && error.class === 'data';
}

/** The operating system's code (`ENOENT`, `EADDRINUSE`) anywhere in the chain of causes. */
export function systemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}
