import type { FastifyInstance } from 'fastify';
import { FleetlogError, type ErrorClass, type ErrorCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';

/** What a client gets where something went wrong. */
export interface ErrorAnswer {
  status: number;
  code: ErrorCode;
  message: string;
}

const statusByClass: Record<ErrorClass, number> = {
  usage: 400,
  data: 500,
  resource: 503,
  link: 503,
  defect: 500,
};

/** Only what is meant for people goes out; a defect's own words stay in our log. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof FleetlogError && error.class !== 'defect') {
    const { code, message } = error;
    return { status: code === 'FLEETLOG_NOT_FOUND' ? 404 : statusByClass[error.class], code, message };
  }
  if (isClientError(error)) {
    return { status: error.statusCode, code: 'FLEETLOG_USAGE', message: sentence(error.message) };
  }
  return { status: 500, code: 'FLEETLOG_DEFECT', message: "The cloud failed to answer; its log says why." };
}

/** Refused by Fastify itself: a query that doesn't fit its schema, a URL that is too long. */
function isClientError(error: unknown): error is Error & { statusCode: number } {
  if (!(error instanceof Error) || !('statusCode' in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}

function sentence(message: string): string {
  const text = message.replace(/^querystring(?:\/(\w+))?/, (_, name?: string) => name ?? 'The query').trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}; see /v1/openapi.json.`;
}

export function handleErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, ...body } = errorAnswer(error);
    if (status >= 500) logger.error({ error, url: request.url }, 'a request failed');
    if (status === 503) void reply.header('retry-after', '5');
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      code: 'FLEETLOG_NOT_FOUND',
      message: `There is no ${request.method} ${request.url.slice(0, 100)}; see /v1/openapi.json.`,
    }),
  );
}
