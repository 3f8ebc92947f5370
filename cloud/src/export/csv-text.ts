/** A field as RFC 4180 wants it: quoted where it must be. */
export const csvText = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
