import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../free-ports.js';
import { until } from '../until.js';
import { kafkaClassPath } from './jars.js';

interface Node {
  id: number;
  port: number;
  properties: string;
  child?: ChildProcess | undefined;
  output: string;
}

const host = '127.0.0.1';
const clusterId = 'AAAAAAAAAAAAAAAAAAAAAA';
/** Small and quick to start: a broker of a test lives for seconds. */
const javaOptions = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** A real Kafka on loopback, of one node or several, without ZooKeeper; each node is broker and controller. */
export class Kafka implements AsyncDisposable {
  private constructor(
    private readonly classPath: string,
    private readonly nodes: readonly Node[],
  ) {}

  /** `ports`: two for each node, the first for clients. */
  static async start(folder: string, nodes = 1, ports?: readonly number[]): Promise<Kafka> {
    const classPath = await kafkaClassPath();
    const free = ports ?? (await freePorts(2 * nodes));
    const ids = Array.from({ length: nodes }, (_, i) => i + 1);
    const voters = ids.map((id) => `${id}@${host}:${free[2 * id - 1]}`).join();
    const kafka = new Kafka(
      classPath,
      ids.map((id) => ({
        id,
        port: free[2 * id - 2],
        properties: join(folder, `node-${id}.properties`),
        output: '',
      })),
    );
    await mkdir(folder, { recursive: true });
    await Promise.all(
      kafka.nodes.map(async ({ id, port, properties }) => {
        const replicas = Math.min(3, nodes);
        const lines = [
          'process.roles=broker,controller',
          `node.id=${id}`,
          `controller.quorum.voters=${voters}`,
          `listeners=PLAINTEXT://${host}:${port},CONTROLLER://${host}:${free[2 * id - 1]}`,
          `advertised.listeners=PLAINTEXT://${host}:${port}`,
          'controller.listener.names=CONTROLLER',
          `log.dirs=${join(folder, `data-${id}`)}`,
          `offsets.topic.replication.factor=${replicas}`,
          `transaction.state.log.replication.factor=${replicas}`,
          `transaction.state.log.min.isr=${Math.min(2, replicas)}`,
          'transaction.state.log.num.partitions=4',
          'offsets.topic.num.partitions=4',
        ];
        await writeFile(properties, `${lines.join('\n')}\n`);
        const format = [
          'kafka.tools.StorageTool',
          'format',
          '--ignore-formatted',
          '-t',
          clusterId,
          '-c',
          properties,
        ];
        await promisify(execFile)('java', [...javaOptions, '-cp', classPath, ...format]);
      }),
    );
    await Promise.all(kafka.nodes.map(({ id }) => kafka.startNode(id)));
    return kafka;
  }

  /** HOST:PORT of every node. */
  get brokers(): string[] {
    return this.nodes.map(({ port }) => `${host}:${port}`);
  }

  /** Resolves when the node takes connections. */
  async startNode(id: number): Promise<void> {
    const node = this.node(id);
    const child = spawn('java', [...javaOptions, '-cp', this.classPath, 'kafka.Kafka', node.properties], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    node.child = child;
    const keep = (text: string): void => void (node.output = (node.output + text).slice(-20_000));
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    await until(
      `Kafka's node ${id} listens`,
      async () => {
        if (child.exitCode !== null) throw new Error(`Kafka's node ${id} ended: ${node.output}`);
        return listens(node.port);
      },
      120_000,
    );
  }

  pidOf(id: number): number | undefined {
    return this.node(id).child?.pid;
  }

  async killNode(id: number): Promise<void> {
    const { child } = this.node(id);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Stops answering without closing anything, until `resume`. */
  pauseNode(id: number): void {
    this.node(id).child?.kill('SIGSTOP');
  }

  resumeNode(id: number): void {
    this.node(id).child?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ id }) => this.killNode(id)));
  }

  private node(id: number): Node {
    return this.nodes[id - 1];
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
