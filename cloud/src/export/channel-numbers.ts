import type { CanFrames } from '@fleetlog/shared/can';

/**
 * Numbers for interfaces, in formats that know no names: one more than the digits at the name's end (`can0` is 1, as
 * such formats count from 1), or the smallest free one where that is taken or there are none. At most `max` of them;
 * further ones share the last.
 */
export class ChannelNumbers {
  private readonly byName = new Map<string, number>();
  private readonly taken = new Set<number>();
  private buses: readonly string[] = [];
  private numbers: number[] = [];

  constructor(private readonly max: number) {}

  /** By index into the frames' `buses`; holds until the next call. */
  of({ buses }: CanFrames): readonly number[] {
    if (buses === this.buses && buses.length === this.numbers.length) return this.numbers;
    this.buses = buses;
    this.numbers = buses.map((name) => this.byName.get(name) ?? this.add(name));
    return this.numbers;
  }

  private add(name: string): number {
    const wanted = Number(/(\d{1,4})$/.exec(name)?.[1] ?? -1) + 1;
    const isFree = wanted > 0 && wanted <= this.max && !this.taken.has(wanted);
    const number = isFree ? wanted : this.firstFree();
    this.taken.add(number);
    this.byName.set(name, number);
    return number;
  }

  private firstFree(): number {
    let number = 1;
    while (number < this.max && this.taken.has(number)) number++;
    return number;
  }
}
