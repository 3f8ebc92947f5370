import { FleetlogError } from '@fleetlog/shared/errors';

/**
 * Asks a cloud's API. Errors: FLEETLOG_UNREACHABLE where nobody answers, FLEETLOG_INTERRUPTED with the cloud's own words
 * where it refuses.
 */
export async function ask(
  url: string,
  path: string,
  query: Record<string, string>,
  init: RequestInit,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${url}${path}?${new URLSearchParams(query).toString()}`, init);
  } catch (cause) {
    throw new FleetlogError('FLEETLOG_UNREACHABLE', `The cloud at ${url} doesn't answer; is it running?`, {
      cause,
    });
  }
  if (response.ok) return response;
  const { message = `status ${response.status}` } = (await response.json().catch(() => ({}))) as {
    message?: string;
  };
  throw new FleetlogError('FLEETLOG_INTERRUPTED', `The cloud refused ${path}: ${message}`);
}
