/** Errors of system calls as this source meets them (asm-generic/errno.h). */
export const errno = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  ENODEV: 19,
  EBUSY: 16,
  EINVAL: 22,
  EOPNOTSUPP: 95,
  ENETDOWN: 100,
} as const;
const names: Record<number, string> = Object.fromEntries(
  Object.entries(errno).map(([name, code]) => [code, name]),
);
export const errnoName = (code: number): string => names[code] ?? `errno ${code}`;
