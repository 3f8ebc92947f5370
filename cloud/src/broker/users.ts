import { createHash, timingSafeEqual } from 'node:crypto';
import { isGatewayId } from '@fleetlog/shared/batch';

/** Who may connect: by gateway id the password, or undefined where anybody may connect as any gateway. */
export type Users = Readonly<Record<string, { password: string }>> | undefined;

/** The gateway that a connection is of; undefined where it is refused. The username is the gateway's id. */
export function authenticate(
  users: Users,
  username: string | undefined,
  password: Uint8Array | undefined,
): string | undefined {
  if (!isGatewayId(username)) return undefined;
  if (users === undefined) return username;
  const known = Object.hasOwn(users, username);
  // Unknown users cost the same time, so that nobody learns which ids there are.
  const expected = known ? users[username].password : '';
  const fits = timingSafeEqual(digest(Buffer.from(expected)), digest(password ?? Buffer.alloc(0)));
  return known && fits ? username : undefined;
}

/** Of equal length whatever the length of the password. */
const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
