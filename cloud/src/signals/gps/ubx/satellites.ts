const recordsAt = 8;
const recordBytes = 12;

/** Satellites of a list that are in the fix: those whose flags, at `flagsAt` of their records, have the bit. */
export const usedIn =
  (countAt: number, flagsAt: number, usedMask: number) =>
  (payload: DataView): number => {
    const whole = Math.floor((payload.byteLength - recordsAt) / recordBytes);
    const records = Math.min(payload.getUint8(countAt), whole);
    let used = 0;
    for (let i = 0; i < records; i++) {
      if (payload.getUint8(recordsAt + i * recordBytes + flagsAt) & usedMask) used++;
    }
    return used;
  };
