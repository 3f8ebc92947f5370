import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { topics } from '@fleetlog/shared/topics';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway, type GatewayOptions } from '../support/chaos/gateway.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { Mosquitto } from '../support/mosquitto.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const users = { 'truck-1': 'one', 'truck-2': 'two', thief: 'three' };

describe('a mosquitto between gateways and cloud', function () {
  this.timeout(90_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let broker: Mosquitto;
  let cloud: Cloud;

  before(function () {
    const why = Mosquitto.whyNot();
    if (why === undefined) return;
    console.log(`      skipped: ${why}`);
    this.skip();
  });
  beforeEach(async () => {
    folder = await tempFolder('mosquitto');
  });
  afterEach(async () => {
    await cloud?.command.kill();
    await broker?.kill();
    await folder?.[Symbol.asyncDispose]();
  });

  const start = async (lines: string[] = [], more: object = {}): Promise<void> => {
    broker = await Mosquitto.start(join(folder.path, 'broker'), { users, lines });
    const config = join(folder.path, 'cloud.yaml');
    await writeFile(config, JSON.stringify(broker.cloudConfig(more)));
    cloud = new Cloud(join(folder.path, 'cloud'), { args: ['--config', config], mqtt: null });
    await cloud.start();
  };
  const gateway = (id: keyof typeof users, more: Partial<GatewayOptions> = {}): Promise<Gateway> =>
    Gateway.prepare(id, join(folder.path, id), generatedRecordings(id.length + id.charCodeAt(6), 10), {
      url: `mqtt://127.0.0.1:${broker.port}`,
      ...more,
      uplink: { password: users[id], ackTimeout: '1s', reconnect: '1s', ...more.uplink },
    });
  const allThere = async (...gateways: Gateway[]): Promise<void> => {
    const score = await checkCloud(
      cloud,
      gateways.flatMap(({ expectations }) => expectations),
    );
    assert.deepEqual(score.complaints, []);
  };

  it('brings everything of gateways with MQTT 5 and 3.1.1, once', async () => {
    await start();
    assert.equal(cloud.mqttPort, broker.port, 'the ready line names the broker');
    const five = await gateway('truck-1', { uplink: { protocol: '5' } });
    const three = await gateway('truck-2');
    for (const { command } of [five, three]) command.start();
    for (const g of [five, three]) await g.drained(30_000);
    await allThere(five, three);
  });

  it('loses nothing where the broker is killed with its disk, and the cloud too', async () => {
    await start();
    const gateways = [
      await gateway('truck-1', { uplink: { protocol: '5' }, pace: () => 3 }),
      await gateway('truck-2', { pace: () => 3 }),
    ];
    for (const { command } of gateways) command.start();
    for (const { command } of gateways) await command.says(/Connected to the cloud/);
    await broker.restart();
    for (const { command } of gateways) await command.says(/connecting again[^]*Connected to the cloud/);
    await cloud.command.kill();
    await cloud.start();
    await broker.restart();
    for (const g of gateways) await g.drained(60_000);
    await allThere(...gateways);
  });

  it('lets no gateway write or read below the prefix of another', async () => {
    await start();
    await using thief = await MqttSocket.open(broker.port);
    assert.equal(await thief.login('thief', { password: Buffer.from('three') }), 0);
    const theirs = canBatch([1], { gateway: 'truck-1' });
    assert.equal(await thief.subscribe(topics.ack('truck-1')), 0, 'mosquitto grants and delivers nothing');
    thief.publish(topics.up('truck-1', 'can0'), theirs);
    const foreign = thief.publish(topics.up('thief', 'can0'), theirs);
    const own = thief.publish(topics.up('thief', 'can0'), canBatch([1], { gateway: 'thief', sequence: 0 }));
    await until('the broker has all', () => thief.isConfirmed(foreign) && thief.isConfirmed(own));
    await until('the own batch', async () => (await cloud.recordCounts()).get('thief/can0') === 1);
    assert.equal((await cloud.recordCounts()).size, 1);
    const { stdout } = await cloud.fleetlog('status', '--json');
    const { ingest } = JSON.parse(stdout.toString()) as { ingest: { refused: Record<string, number> } };
    assert.deepEqual(ingest.refused, { FLEETLOG_FOREIGN_GATEWAY: 1 });
    assert.equal(thief.acks('truck-1').length, 0);
  });

  it('keeps what the broker holds for it while it is away', async () => {
    await start();
    await cloud.command.kill();
    const g = await gateway('truck-1', { uplink: { protocol: '5', ackTimeout: '15s' } });
    g.command.start();
    await until('batches at the broker', async () => {
      const { stdout } = await g.status();
      const { uplink } = JSON.parse(stdout.toString() || '{}') as { uplink?: { inFlightBatches: number } };
      return (uplink?.inFlightBatches ?? 0) > 10;
    });
    await cloud.start();
    await g.drained(10_000); // sooner than a time-out: nothing had to be sent again
    await allThere(g);
  });

  it('is not sent packets larger than it takes, which stay in the buffer while the others go on', async () => {
    await start(['max_packet_size 6000']);
    const [can, gps] = generatedRecordings(4, 10);
    const g = await Gateway.prepare('truck-1', join(folder.path, 'large'), [can, gps], {
      url: `mqtt://127.0.0.1:${broker.port}`,
      uplink: { password: 'one', protocol: '5' },
      batch: { span: '10s', records: 60_000, bytes: '1MiB' },
      args: [],
    });
    g.command.start();
    await g.command.says(/The broker takes packets of 6000 bytes/);
    await until(
      'the small ones',
      async () => ((await cloud.recordCounts()).get('truck-1/gps0') ?? 0) > 0,
      20_000,
    );
    assert.equal((await cloud.recordCounts()).get('truck-1/can0'), undefined);
    const gaps = async (): Promise<Record<string, number>> => {
      const { stdout } = await cloud.fleetlog('gaps', '--json');
      return (JSON.parse(stdout.toString()) as { batches: Record<string, number> }).batches;
    };
    await until('a status with the batches that stay', async () => (await gaps()).pending > 0, 20_000);
    assert.equal((await gaps()).missing, 0);
    await g.command.kill();
  });

  it('says so where the broker refuses the login, and serves what it has', async () => {
    await start([], { password: 'wrong' });
    assert.match(cloud.command.log, /can't be used: [^"]*[Nn]ot authorized/);
  });
});
