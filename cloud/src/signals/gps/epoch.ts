import { Pauses } from './pauses.js';
import { at, mode, newFix, type Fix } from './position.js';

/** What the reports of one epoch say together. */
export class EpochFacts {
  /** When its first report came, µs; NaN before any. */
  timeUs = NaN;
  /** What the reports of one epoch have in common: its time of day, or of week; NaN where none says so yet. */
  tag = NaN;
  reports = 0;
  readonly fix: Fix = newFix();
  /** False where a report says that there is no fix, true where one says that there is; the last counts. */
  isValid: boolean | undefined;
  /** The mode that a report names itself. */
  mode = NaN;
  /** Satellites used, as one report counts them: those of several systems count their own, so the most is right. */
  private countedUsed = NaN;
  /** Those that are listed; some receivers list them twice. */
  private readonly listed = new Set<string>();
  /** In view, by the system that reports them. */
  private readonly seen = new Map<string, number>();
  private readonly types = new Set<string>();
  private lastType = '';

  /** Sets a value of the position; NaN says nothing. */
  set(place: number, value: number): void {
    if (!Number.isNaN(value)) this.fix[place] = value;
  }

  see(system: string, satellites: number): void {
    if (!Number.isNaN(satellites)) this.seen.set(system, Math.max(satellites, this.seen.get(system) ?? 0));
  }

  /** True where such a report came, and others since. */
  hasHad(type: string): boolean {
    return this.lastType !== type && this.types.has(type);
  }

  /** A report came that belongs to this epoch. */
  count(type: string, timeUs: number, tag: number): void {
    if (this.reports++ === 0) this.timeUs = timeUs;
    if (!Number.isNaN(tag)) this.tag = tag;
    this.types.add(type);
    this.lastType = type;
  }

  /** Takes over what came before this one's own. */
  merge(other: EpochFacts): void {
    if (other.reports === 0) return;
    if (this.reports === 0) this.timeUs = other.timeUs;
    this.reports += other.reports;
    for (let place = 0; place < this.fix.length; place++) this.set(place, other.fix[place]);
    this.isValid = other.isValid ?? this.isValid;
    if (!Number.isNaN(other.mode)) this.mode = other.mode;
    this.countUsed(other.countedUsed);
    for (const satellite of other.listed) this.listed.add(satellite);
    for (const [system, satellites] of other.seen) this.see(system, satellites);
    for (const type of other.types) this.types.add(type);
    this.lastType = other.lastType;
  }

  countUsed(satellites: number): void {
    if (!(satellites <= this.countedUsed) && !Number.isNaN(satellites)) this.countedUsed = satellites;
  }

  listUsed(satellite: string): void {
    this.listed.add(satellite);
  }

  clear(): void {
    this.timeUs = NaN;
    this.tag = NaN;
    this.reports = 0;
    this.fix.fill(NaN);
    this.isValid = undefined;
    this.mode = NaN;
    this.countedUsed = NaN;
    this.listed.clear();
    this.seen.clear();
    this.types.clear();
    this.lastType = '';
  }

  /** The position that the epoch tells; undefined where its reports tell none, nor that there is none. */
  finish(): Fix | undefined {
    const { fix, countedUsed, listed } = this;
    // GGA counts twelve at most; GSA lists no satellite of a system that it has no place for.
    if (listed.size > 0) this.set(at.satellitesUsed, Math.max(countedUsed || 0, listed.size));
    else this.set(at.satellitesUsed, countedUsed);
    if (this.seen.size > 0) {
      let sum = 0;
      for (const satellites of this.seen.values()) sum += satellites;
      fix[at.satellitesSeen] = sum;
    }
    if (this.isValid === undefined && Number.isNaN(this.mode)) return undefined;
    if (this.isValid === false || this.mode === mode.none) {
      for (const place of whereThereIsAFix) fix[place] = NaN;
      fix[at.mode] = mode.none;
    } else {
      const hasAltitude = !Number.isNaN(fix[at.altitude]) || !Number.isNaN(fix[at.altitudeEllipsoid]);
      fix[at.mode] = Number.isNaN(this.mode) ? (hasAltitude ? mode.full : mode.flat) : this.mode;
    }
    return fix;
  }
}

/** What receivers go on to repeat when they have lost it. */
const whereThereIsAFix = [
  at.latitude,
  at.longitude,
  at.altitude,
  at.altitudeEllipsoid,
  at.speed,
  at.track,
  at.climb,
] as const;

/** An epoch whose reports come over a longer time has ended without saying so. */
const epochUsMax = 5_000_000;
/** Only sentences without a time are in doubt, and the others tell that of the day. */
const daySeconds = 86_400;
/** And one of more reports. */
const epochReportsMax = 1000;

/**
 * Puts together the reports of one epoch: a receiver says in several what it found at one moment. Those that tell the
 * moment (a tag) decide. Those that don't, a list of satellites for instance, stand before or behind them: where the
 * receiver pauses between epochs, the pause tells; else one that the epoch has had already belongs to the next.
 */
export class EpochAssembler {
  private current = new EpochFacts();
  /** What came behind the last report with a tag, and seems to be of the next epoch. */
  private next = new EpochFacts();
  private isNextBehindPause = false;
  private readonly pauses = new Pauses();

  /** `close`: gets each epoch when it has ended; the fix is valid during the call only. */
  constructor(private readonly close: (timeUs: number, fix: Fix) => void) {}

  /** When the oldest report came that isn't in a closed epoch, µs; Infinity where none waits. */
  get openSinceUs(): number {
    if (this.current.reports > 0) return this.current.timeUs;
    return this.next.reports > 0 ? this.next.timeUs : Infinity;
  }

  /** The epoch to which a report belongs, for what it says to be put in. */
  take(type: string, timeUs: number, tag: number): EpochFacts {
    this.expire(timeUs);
    if (this.current.reports >= epochReportsMax) this.finish();
    const pauseUs = this.pauses.before(timeUs);
    if (!Number.isNaN(tag)) return this.takeTagged(type, timeUs, tag, pauseUs);
    if (pauseUs > 0 && !Number.isNaN(this.current.tag)) {
      this.putBehind();
      this.isNextBehindPause = true;
      return counted(this.next, type, timeUs, tag);
    }
    if (this.next.reports === 0 && !this.current.hasHad(type))
      return counted(this.current, type, timeUs, tag);
    if (this.next.hasHad(type)) this.turn(); // a receiver that knows no time: by the order of its reports alone
    return counted(this.next, type, timeUs, tag);
  }

  /** Ends what is still open, but is too old at `nowUs`. */
  expire(nowUs: number): void {
    if (nowUs - this.openSinceUs > epochUsMax) this.finish();
  }

  /** No more comes. */
  finish(): void {
    if (this.current.reports > 0) this.turn();
    if (this.current.reports > 0) this.turn();
  }

  private takeTagged(type: string, timeUs: number, tag: number, pauseUs: number): EpochFacts {
    const isOther = !Number.isNaN(this.current.tag) && this.current.tag !== tag;
    if (isOther) {
      // The new epoch begins here, and what came before the pause is the old one's. In a recording whose times are the
      // receiver's own every epoch seems to begin with its first tag: the pause is what the tags are apart.
      const apartS = (tag - this.current.tag + daySeconds) % daySeconds;
      const isArrival = Math.abs(pauseUs - apartS * 1e6) > 1;
      if (pauseUs > 0 && isArrival && !this.isNextBehindPause) this.putBehind();
      this.turn();
    } else if (this.next.reports > 0) {
      this.current.merge(this.next);
      this.next.clear();
    }
    return counted(this.current, type, timeUs, tag);
  }

  /** What seemed to be of the next epoch is of this one. */
  private putBehind(): void {
    this.current.merge(this.next);
    this.next.clear();
  }

  private turn(): void {
    this.pauses.turn();
    this.isNextBehindPause = false;
    const closed = this.current;
    const fix = closed.finish();
    if (fix) this.close(closed.timeUs, fix);
    closed.clear();
    this.current = this.next;
    this.next = closed;
  }
}

function counted(facts: EpochFacts, type: string, timeUs: number, tag: number): EpochFacts {
  facts.count(type, timeUs, tag);
  return facts;
}
