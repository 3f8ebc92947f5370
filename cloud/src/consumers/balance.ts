/**
 * Which member gets which partition: each as many as any other, or one more; and nobody loses one that needn't.
 * `owners`: the members that have the partitions now. Empty only where there are no members.
 */
export function balance<M>(members: readonly M[], owners: readonly (M | undefined)[]): (M | undefined)[] {
  if (members.length === 0) return owners.map(() => undefined);
  const held = new Map<M, number>(members.map((member) => [member, 0]));
  for (const owner of owners) {
    const count = owner === undefined ? undefined : held.get(owner);
    if (count !== undefined) held.set(owner as M, count + 1);
  }
  const least = Math.floor(owners.length / members.length);
  let withOneMore = owners.length % members.length;
  const room = new Map<M, number>();
  for (const member of members.toSorted((a, b) => held.get(b)! - held.get(a)!)) {
    room.set(member, withOneMore-- > 0 ? least + 1 : least);
  }
  const kept = owners.map((owner) => (owner !== undefined && take(room, owner) ? owner : undefined));
  const others = members.filter((member) => room.get(member)! > 0);
  return kept.map((owner) => {
    if (owner !== undefined) return owner;
    while (!take(room, others[0])) others.shift();
    return others[0];
  });
}

function take<M>(room: Map<M, number>, member: M): boolean {
  const left = room.get(member) ?? 0;
  if (left > 0) room.set(member, left - 1);
  return left > 0;
}
