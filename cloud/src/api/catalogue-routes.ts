import type { FastifyInstance } from 'fastify';
import { isGatewayId, isStreamName } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Validity } from '../signals/catalogue/index.js';
import { databaseLimits } from '../signals/dbc/model.js';
import { databaseDetails, validityFields, versionFields } from './catalogue-rows.js';
import {
  AddDatabaseQuery,
  AddedBody,
  AssignmentsBody,
  AssignmentsQuery,
  AssignQuery,
  DatabaseBody,
  DatabaseParams,
  DatabaseQuery,
  DatabasesBody,
  MountQuery,
  TouchedBody,
  UnassignQuery,
  VehiclesBody,
  type Assignments,
  type Databases,
  type Vehicles,
} from './catalogue-schemas.js';
import type { ApiContext } from './context.js';
import { ErrorBody, NoQuery } from './schemas.js';
import { parseTime } from './time.js';

interface Moments {
  from?: string;
  to?: string;
}
type AssignParameters = Moments & {
  gateway: string;
  stream: string;
  database: string;
  version?: string;
  replace?: boolean;
};
type MountParameters = Moments & { vehicle: string; gateway: string };

/** Databases, to which streams they apply, and which gateway is in which vehicle. */
export function catalogueRoutes(app: FastifyInstance, context: ApiContext): void {
  databaseRoutes(app, context);
  assignmentRoutes(app, context);
  vehicleRoutes(app, context);
}

function databaseRoutes(app: FastifyInstance, { catalogue, clock }: ApiContext): void {
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: databaseLimits.bytesMax },
    (_request, body, done) => done(null, body),
  );

  app.post<{ Querystring: { name: string; file?: string; ignoreErrors?: boolean }; Body: Buffer | null }>(
    '/v1/databases',
    {
      bodyLimit: databaseLimits.bytesMax,
      schema: {
        summary: 'Adds a database, or a new content of one',
        description: 'The body is the DBC file, as application/octet-stream.',
        querystring: AddDatabaseQuery,
        response: { 200: AddedBody, default: ErrorBody },
      },
    },
    async ({ query: { name, file = '', ignoreErrors = false }, body }) => {
      if (!Buffer.isBuffer(body)) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          'The DBC file must be the body (application/octet-stream).',
        );
      }
      const nowUs = clock.nowUs();
      const added = await catalogue.add({ name, file, bytes: body, ignoreErrors, nowUs });
      const { isNew, version, problems } = added;
      return { name, isNew, ...versionFields(version), problems };
    },
  );

  app.get(
    '/v1/databases',
    {
      schema: {
        summary: 'Databases, with their current content',
        querystring: NoQuery,
        response: { 200: DatabasesBody, default: ErrorBody },
      },
    },
    () => {
      const databases: Databases['databases'] = [];
      for (const { name, versions } of catalogue.databases) {
        const assignments = catalogue.assignments.filter(({ database }) => database === name).length;
        databases.push({
          name,
          ...versionFields(catalogue.versionOf(name)),
          versions: versions.length,
          assignments,
        });
      }
      return { databases };
    },
  );

  app.get<{ Params: { name: string }; Querystring: { version?: string } }>(
    '/v1/databases/:name',
    {
      schema: {
        summary: 'Messages and signals of a database',
        params: DatabaseParams,
        querystring: DatabaseQuery,
        response: { 200: DatabaseBody, default: ErrorBody },
      },
    },
    async ({ params: { name }, query: { version } }) =>
      databaseDetails(await catalogue.load(name, version), catalogue),
  );
}

function assignmentRoutes(app: FastifyInstance, { catalogue, clock }: ApiContext): void {
  const rows = (filter: { gateway?: string; stream?: string }): Assignments => ({
    assignments: catalogue.assignments
      .filter(
        ({ gateway, stream }) =>
          gateway === (filter.gateway ?? gateway) && stream === (filter.stream ?? stream),
      )
      .map(({ gateway, stream, database, version, ...validity }) => ({
        gateway,
        stream,
        database,
        ...(version !== undefined && { version }),
        ...validityFields(validity),
      })),
  });

  app.get<{ Querystring: { gateway?: string; stream?: string } }>(
    '/v1/assignments',
    {
      schema: {
        summary: 'Which database applies to which stream, and when',
        querystring: AssignmentsQuery,
        response: { 200: AssignmentsBody, default: ErrorBody },
      },
    },
    ({ query }) => rows(query),
  );

  app.post<{ Querystring: AssignParameters }>(
    '/v1/assignments',
    {
      schema: {
        summary: 'Lets a database apply to a stream',
        querystring: AssignQuery,
        response: { 200: AssignmentsBody, default: ErrorBody },
      },
    },
    async ({ query }) => {
      const { gateway, stream, database, replace = false } = query;
      checkNames(gateway, stream);
      const version =
        query.version === undefined ? undefined : catalogue.versionOf(database, query.version).hash;
      const validity = validityOf(query, clock.nowUs());
      await catalogue.assign({ gateway, stream, database, version, ...validity }, { replace });
      return rows({ gateway, stream });
    },
  );

  app.delete<{ Querystring: AssignParameters }>(
    '/v1/assignments',
    {
      schema: {
        summary: 'Ends the assignment of a database to a stream, within a validity',
        querystring: UnassignQuery,
        response: { 200: TouchedBody, default: ErrorBody },
      },
    },
    async ({ query }) => {
      const { gateway, stream, database } = query;
      const validity = validityOf(query, clock.nowUs());
      const touched = await catalogue.unassign({ gateway, stream, database, ...validity });
      if (touched > 0) return { touched };
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `${database} isn't assigned to ${gateway} ${stream} there; "fleetlog assign" lists assignments.`,
      );
    },
  );
}

function vehicleRoutes(app: FastifyInstance, { catalogue, clock }: ApiContext): void {
  const rows = (): Vehicles => ({
    vehicles: catalogue.mounts.map(({ vehicle, gateway, ...validity }) => ({
      vehicle,
      gateway,
      ...validityFields(validity),
    })),
  });

  app.get(
    '/v1/vehicles',
    {
      schema: {
        summary: 'Which gateway is in which vehicle, and when',
        querystring: NoQuery,
        response: { 200: VehiclesBody, default: ErrorBody },
      },
    },
    () => rows(),
  );

  app.post<{ Querystring: MountParameters }>(
    '/v1/vehicles',
    {
      schema: {
        summary: 'Puts a gateway into a vehicle; the mount that was open until then ends',
        querystring: MountQuery,
        response: { 200: VehiclesBody, default: ErrorBody },
      },
    },
    async ({ query }) => {
      const { vehicle, gateway } = query;
      checkNames(gateway);
      await catalogue.mount({ vehicle, gateway, ...validityOf(query, clock.nowUs()) });
      return rows();
    },
  );

  app.delete<{ Querystring: MountParameters }>(
    '/v1/vehicles',
    {
      schema: {
        summary: 'Takes a gateway out of a vehicle, within a validity',
        querystring: MountQuery,
        response: { 200: TouchedBody, default: ErrorBody },
      },
    },
    async ({ query }) => {
      const { vehicle, gateway } = query;
      const touched = await catalogue.unmount({ vehicle, gateway, ...validityOf(query, clock.nowUs()) });
      if (touched > 0) return { touched };
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `${gateway} isn't in ${vehicle.slice(0, 80)} there; "fleetlog vehicles" lists what is.`,
      );
    },
  );
}

const validityOf = ({ from, to }: Moments, nowUs: number): Validity => ({
  fromUs: from === undefined ? undefined : parseTime(from, nowUs),
  toUs: to === undefined ? undefined : parseTime(to, nowUs),
});

/** Assignments may be made before the gateway has sent anything, so only the form of a name can be wrong. */
function checkNames(gateway: string, stream?: string): void {
  const idFits: boolean = isGatewayId(gateway);
  if (!idFits) {
    throw new FleetlogError('FLEETLOG_USAGE', `"${gateway}" isn't a gateway's id (a-z, 0-9 and -).`);
  }
  const nameFits: boolean = stream === undefined || isStreamName(stream);
  if (!nameFits) {
    throw new FleetlogError('FLEETLOG_USAGE', `"${stream}" isn't the name of a stream (a-z, 0-9, - and _).`);
  }
}
