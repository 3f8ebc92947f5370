const EVERY_MS = 10_000;

/** Says now and then how far a run is. */
export class Progress {
  private finished = 0;
  private readonly timer: NodeJS.Timeout;
  private readonly beganMs = performance.now();

  constructor(
    private readonly gateways: number,
    parts: { say: (text: string) => void },
  ) {
    this.timer = setInterval(() => {
      const seconds = Math.round((performance.now() - this.beganMs) / 1000);
      parts.say(`${this.finished} of ${this.gateways} gateways are done after ${seconds} s.`);
    }, EVERY_MS);
  }

  done(): void {
    this.finished++;
  }

  end(): void {
    clearInterval(this.timer);
  }
}
