import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Port } from './port.js';

const REQUEST_BYTES_MAX = 4096;
/** A client that reads nothing misses reports, as with gpsd. */
const UNSENT_BYTES_MAX = 256 * 1024;
const KNOTS_IN_METRES_PER_S = 1852 / 3600;
const DEVICE = '/dev/simulated';

interface Watch {
  enable: boolean;
  json: boolean;
  nmea: boolean;
}

/** A gpsd before a receiver that isn't there: takes its NMEA sentences, gives JSON reports and sentences (gpsd_json(5)). */
export class GpsdServer implements Port {
  private readonly clients = new Map<Socket, Watch>();

  private constructor(
    readonly name: string,
    private readonly server: Server,
  ) {}

  /** `place`: HOST:PORT; port 0 takes a free one. Errors: FLEETLOG_USAGE, FLEETLOG_PORT_TAKEN. */
  static async listen(place: string): Promise<GpsdServer> {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(place) ?? [];
    if (host === undefined) {
      throw new FleetlogError('FLEETLOG_USAGE', `--to gpsd:${place} must be like gpsd:127.0.0.1:2947.`);
    }
    const server = createServer({ noDelay: true });
    try {
      server.listen(Number(port), host);
      await once(server, 'listening');
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_PORT_TAKEN',
        `Nothing can listen on ${place} (${systemCode(cause)}); stop gpsd, or choose another port.`,
        { cause },
      );
    }
    const gpsd = new GpsdServer(`${host}:${(server.address() as AddressInfo).port}`, server);
    server.on('connection', (socket) => gpsd.accept(socket));
    return gpsd;
  }

  /** Takes the sentences of one fix. */
  write(bytes: Uint8Array | string): void {
    const sentences = Buffer.from(bytes as Uint8Array).toString('latin1');
    const report = `${JSON.stringify(positionReport(sentences))}\r\n`;
    for (const [socket, { enable, json, nmea }] of this.clients) {
      if (!enable || socket.writableLength > UNSENT_BYTES_MAX) continue;
      if (nmea) socket.write(sentences);
      if (json) socket.write(report);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.clients.keys()) socket.destroy();
    const closed = new Promise((resolve) => this.server.close(resolve));
    await closed;
  }

  private accept(socket: Socket): void {
    this.clients.set(socket, { enable: false, json: false, nmea: false });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => this.clients.delete(socket));
    const say = (report: object): void => void socket.write(`${JSON.stringify(report)}\r\n`);
    say({ class: 'VERSION', release: '3.25', rev: 'simulated', proto_major: 3, proto_minor: 15 });
    let request = '';
    socket.on('data', (chunk) => {
      request += chunk.toString('latin1');
      if (request.length > REQUEST_BYTES_MAX) socket.destroy();
      for (let end = request.search(/[;\n]/); end >= 0; end = request.search(/[;\n]/)) {
        const command = request.slice(0, end).trim();
        request = request.slice(end + 1);
        if (command !== '') this.obey(socket, command, say);
      }
    });
  }

  private obey(socket: Socket, command: string, say: (report: object) => void): void {
    const devices = { class: 'DEVICES', devices: [{ class: 'DEVICE', path: DEVICE, driver: 'NMEA0183' }] };
    const watch = this.clients.get(socket);
    const wanted = /^\?WATCH(?:=(.*))?$/.exec(command);
    if (wanted && watch) {
      try {
        Object.assign(watch, JSON.parse(wanted[1] ?? '{}'));
        if (watch.enable && !watch.nmea) watch.json = true; // gpsd's default
      } catch {
        return say({ class: 'ERROR', message: 'Invalid WATCH' });
      }
      say(devices);
      say({ class: 'WATCH', ...watch });
    } else if (command === '?DEVICES') say(devices);
    else say({ class: 'ERROR', message: `Unrecognized request '${command.slice(0, 64)}'` });
  }
}

/** TPV of the sentences of a fix; mode 1 (no fix) without a place. */
function positionReport(sentences: string): object {
  const [, hms, status, latitude, ns, longitude, ew, knots, course, date] =
    /^\$G.RMC,(.*)\*/m.exec(sentences)?.[0].split(',') ?? [];
  const [d, m, y, hours, minutes, seconds] = `${date}${hms}`.match(/\d\d(?:\.\d+)?/g) ?? [];
  const head = { class: 'TPV', device: DEVICE, time: `20${y}-${m}-${d}T${hours}:${minutes}:${seconds}Z` };
  if (status !== 'A') return { ...head, mode: 1 };
  const altitude = /^\$G.GGA,(.*)\*/m.exec(sentences)?.[0].split(',')[9];
  return {
    ...head,
    mode: 3,
    lat: degrees(latitude, ns),
    lon: degrees(longitude, ew),
    altMSL: Number(altitude),
    track: Number(course),
    speed: Number((Number(knots) * KNOTS_IN_METRES_PER_S).toFixed(3)),
  };
}

function degrees(text: string, side: string): number {
  const minutesAt = text.indexOf('.') - 2;
  const value = Number(text.slice(0, minutesAt)) + Number(text.slice(minutesAt)) / 60;
  return Number((side === 'S' || side === 'W' ? -value : value).toFixed(9));
}
