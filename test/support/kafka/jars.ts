import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const kafkaVersion = '4.1.1';

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fleetlog</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
  </dependencies>
</project>
`;

/** What is missing on this machine for a real Kafka; undefined where nothing is. */
export function whyNoKafka(): string | undefined {
  try {
    execFileSync('/bin/sh', ['-c', 'command -v java && command -v mvn'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs Java 17 and Maven (Debian: maven), which fetches Kafka';
  }
}

/** The class path of Apache Kafka; its jars (50 MB) come from the Java registry once, and are kept in the user's cache. */
export async function kafkaClassPath(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fleetlog');
  const folder = join(cache, `kafka-${kafkaVersion}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const work = await mkdtemp(join(cache, 'kafka-'));
    await writeFile(join(work, 'pom.xml'), pom);
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars'];
    await promisify(execFile)('mvn', ['-q', '-B', ...goal], { cwd: work });
    // In one step, so that a folder that is there is whole.
    await rename(join(work, 'jars'), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    await rm(work, { recursive: true, force: true });
  }
  return join(folder, '*');
}
