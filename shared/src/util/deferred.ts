/** A value that somebody waits for until somebody else sets it; each `set` wakes all who wait. */
export class Signal {
  private waiters = Promise.withResolvers<void>();

  set(): void {
    this.waiters.resolve();
    this.waiters = Promise.withResolvers<void>();
  }

  /** Resolves at the next `set`; rejects with the signal's reason on abort. */
  async wait(signal?: AbortSignal): Promise<void> {
    const { promise } = this.waiters;
    if (!signal) return promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const stop = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
