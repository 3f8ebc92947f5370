/** A sentence with its checksum, without a line end. */
export function sentence(content: string): string {
  let sum = 0;
  for (let i = 0; i < content.length; i++) sum ^= content.charCodeAt(i);
  return `$${content}*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** ZDA of a second of a day of February 2026. */
export function zda(secondOfDay: number, day = 23): string {
  const time = [secondOfDay / 3600, (secondOfDay / 60) % 60, secondOfDay % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join('');
  return sentence(`GPZDA,${time},${day},02,2026,00,00`);
}
