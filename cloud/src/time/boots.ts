import { clockStates, type ClockPoint, type ClockState } from '@fleetlog/shared/batch';
import { Timeline } from './timeline.js';

/** What the log says of one boot of a gateway. */
export interface BootFacts {
  boot: string;
  /** Place among the boots of the gateway: boots sort by these two, ascending. */
  epochOrder: number;
  firstSequence: number;
  /** Monotonic times of the first and last record that was stamped with the boot's clock. */
  firstUs: number;
  lastUs: number;
  /** The offset that the first record was stamped with. */
  firstWallOffsetUs: number;
  batches: number;
  records: number;
  /** What the best header says, for where no clock event came. */
  header: ClockPoint;
  /** From clock events, ascending in time. */
  points: readonly ClockPoint[];
}

/** A boot whose times can be corrected. */
export interface CorrectedBoot extends BootFacts {
  timeline: Timeline;
  /** The statements that the timeline is made of. */
  used: readonly ClockPoint[];
}

/**
 * The timelines of a gateway's boots, in their order. Of what was said of a boot the best class counts: `synced` before
 * `coarse` before `unset`; where two statements contradict each other, the later one. A boot that nothing vouches for
 * keeps its length, and is moved where its clock contradicts the order of the boots: not behind the next one that is
 * known to be right, and behind all that came before it.
 */
export function correctBoots(facts: readonly BootFacts[]): CorrectedBoot[] {
  const ordered = [...facts].sort(
    (a, b) => a.epochOrder - b.epochOrder || a.firstSequence - b.firstSequence || (a.boot < b.boot ? -1 : 1),
  );
  const boots = ordered.map((boot): CorrectedBoot => {
    const used = statementsOf(boot);
    return { ...boot, used, timeline: new Timeline(used, used[0].state) };
  });
  placeUnsynced(boots);
  return boots;
}

function placeUnsynced(boots: readonly CorrectedBoot[]): void {
  const isSynced = ({ timeline }: CorrectedBoot): boolean => timeline.state === 'synced';
  const moveTo = (boot: CorrectedBoot, wallOffsetUs: number): void => {
    if (wallOffsetUs === boot.used[0].wallOffsetUs) return;
    boot.used = [{ ...boot.used[0], wallOffsetUs }];
    boot.timeline = new Timeline(boot.used, boot.timeline.state);
  };
  let latestEndUs = Infinity;
  for (const boot of [...boots].reverse()) {
    if (!isSynced(boot)) moveTo(boot, Math.min(boot.used[0].wallOffsetUs, latestEndUs - boot.lastUs));
    if (isSynced(boot) || latestEndUs < Infinity) {
      latestEndUs = Math.min(latestEndUs, boot.timeline.correctedUs(boot.firstUs) - 1);
    }
  }
  let endUs = -Infinity;
  for (const boot of boots) {
    if (!isSynced(boot)) moveTo(boot, Math.max(boot.used[0].wallOffsetUs, endUs + 1 - boot.firstUs));
    endUs = Math.max(endUs, boot.timeline.correctedUs(boot.lastUs));
  }
}

/** What counts, ascending in time; at least one. */
function statementsOf({ points, header }: BootFacts): ClockPoint[] {
  const best = points.reduce((rank, { state }) => Math.max(rank, rankOf(state)), rankOf(header.state));
  const counting = points.filter(({ state }) => rankOf(state) === best);
  if (counting.length === 0) return [header];
  // Only a synchronised clock tells of drift; of others the last word counts.
  return clockStates[best] === 'synced' ? reconciled(counting) : [counting[counting.length - 1]];
}

const rankOf = (state: ClockState): number => clockStates.indexOf(state);

/** More than this no clock drifts: a greater difference is noise of the statements, or a contradiction. */
const SLEW = 500e-6;

/** From the last one backwards: what contradicts it is left out, what differs by noise is bent to what a clock can do. */
function reconciled(points: readonly ClockPoint[]): ClockPoint[] {
  const kept = [points[points.length - 1]];
  for (let i = points.length - 2; i >= 0; i--) {
    const point = points[i];
    const [next] = kept;
    const passedUs = next.monotonicUs - point.monotonicUs;
    const differenceUs = point.wallOffsetUs - next.wallOffsetUs;
    const slewUs = passedUs * SLEW;
    const doubtUs = Math.max(0, point.uncertaintyUs) + Math.max(0, next.uncertaintyUs) + slewUs;
    if (passedUs <= 0 || Math.abs(differenceUs) > doubtUs) continue;
    const wallOffsetUs = next.wallOffsetUs + Math.max(-slewUs, Math.min(differenceUs, slewUs));
    kept.unshift({ ...point, wallOffsetUs });
  }
  return kept;
}
