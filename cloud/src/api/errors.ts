import type { FastifyInstance, FastifyReply } from 'fastify';
import { FleetlogError, type ErrorClass, type ErrorCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';

/** What a client gets where something went wrong. */
interface ErrorAnswer {
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

const statusByCode: Partial<Record<ErrorCode, number>> = { FLEETLOG_NOT_FOUND: 404, FLEETLOG_CHANGED: 409 };

/** Only what is meant for people goes out; a defect's own words stay in our log. */
function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof FleetlogError && error.class !== 'defect') {
    const { code, message } = error;
    return { status: statusByCode[code] ?? statusByClass[error.class], code, message };
  }
  if (isClientError(error)) {
    return { status: error.statusCode, code: 'FLEETLOG_USAGE', message: sentence(error.message) };
  }
  return { status: 500, code: 'FLEETLOG_DEFECT', message: 'The cloud failed to answer; its log says why.' };
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

/** Sends the answer to an error; what a client could have done better is told, no more. */
export function answer(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, ...body } = errorAnswer(error);
  if (status === 503) void reply.header('retry-after', '5');
  return reply.code(status).send(body);
}

export function handleErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    if (errorAnswer(error).status >= 500) logger.error({ error, url: request.url }, 'a request failed');
    return answer(reply, error);
  });
  app.setNotFoundHandler((request, reply) =>
    answer(
      reply,
      new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `There is no ${request.method} ${request.url.slice(0, 100)}; see /v1/openapi.json.`,
      ),
    ),
  );
}
