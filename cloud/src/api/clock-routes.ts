import type { FastifyInstance } from 'fastify';
import { isoMicros } from '../export/iso-time.js';
import type { Index } from '../index/index.js';
import type { CorrectedBoot } from '../time/boots.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { ClocksBody, ErrorBody, GatewayQuery, type Clocks } from './schemas.js';

type BootRow = Clocks['boots'][number];

/** What is known of the gateways' clocks. */
export function clockRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, fleet } = context;

  app.get<{ Querystring: { gateway?: string } }>(
    '/v1/clocks',
    {
      schema: {
        summary: "Boots of the gateways, in their order, and how well each one's time is known",
        querystring: GatewayQuery,
        response: { 200: ClocksBody, default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      await catchUp(context, reply);
      await checkFilter(index, fleet, query);
      const boots: BootRow[] = [];
      for (const gateway of await gatewaysOf(index, query.gateway)) {
        for (const boot of await index.boots(gateway)) boots.push(bootRow(gateway, boot));
      }
      return { boots };
    },
  );
}

async function gatewaysOf(index: Index, only: string | undefined): Promise<Iterable<string>> {
  if (only !== undefined) return [only];
  const gateways = new Set<string>();
  for await (const { gateway } of index.streams()) gateways.add(gateway);
  return gateways;
}

function bootRow(gateway: string, facts: CorrectedBoot): BootRow {
  const { boot, timeline, used, firstUs, firstWallOffsetUs, lastUs, batches, records } = facts;
  const firstTimeUs = timeline.correctedUs(firstUs);
  return {
    gateway,
    boot,
    clock: timeline.state,
    source: used[used.length - 1].source,
    firstTime: isoMicros(firstTimeUs),
    lastTime: isoMicros(timeline.correctedUs(lastUs)),
    batches,
    records,
    correctionUs: firstTimeUs - (firstUs + firstWallOffsetUs),
    uncertaintyUs: timeline.uncertaintyAt(lastUs),
    points: facts.points.length,
  };
}
