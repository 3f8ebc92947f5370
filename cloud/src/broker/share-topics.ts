import { isGatewayId, isStreamName } from '@fleetlog/shared/batch';

/*
 * Between clouds that share a log: fleetlog/v1-share/{partition}/{gateway}/{stream}, a batch for whoever has that
 * partition. Gateways have no right to it.
 */
const root = 'fleetlog/v1-share';

export const shareTopic = (partition: number, gateway: string, stream: string): string =>
  `${root}/${partition}/${gateway}/${stream}`;

/** Undefined for a topic of another kind. */
export function parseShareTopic(topic: string): { gateway: string; stream: string } | undefined {
  if (!topic.startsWith(`${root}/`)) return undefined;
  const [, gateway, stream, ...more] = topic.slice(root.length + 1).split('/');
  if (!isGatewayId(gateway) || !isStreamName(stream) || more.length > 0) return undefined;
  return { gateway, stream };
}
