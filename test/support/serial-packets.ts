/** What the sender of a framed serial line does; the product only reads. */

/** With the 0 behind that ends the packet. */
export function cobsEncoded(packet: Uint8Array): Uint8Array {
  const out: number[] = [0];
  let codeAt = 0;
  for (const byte of packet) {
    if (byte !== 0) out.push(byte);
    if (byte === 0 || out.length - codeAt === 0xff) {
      out[codeAt] = out.length - codeAt;
      codeAt = out.length;
      out.push(0);
    }
  }
  out[codeAt] = out.length - codeAt;
  return Uint8Array.from([...out, 0]);
}

export function slipEncoded(packet: Uint8Array): Uint8Array {
  const escaped = [...packet].flatMap((byte) =>
    byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte],
  );
  return Uint8Array.from([...escaped, 0xc0]);
}
