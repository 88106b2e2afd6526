import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** Where and with what figures were measured. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Processes that wanted to run in the minute before. */
  readonly load: number;
}

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()} ${arch()}`,
    load: loadavg()[0],
  };
}

const PACKAGES = [
  'aedes',
  'parquet-wasm',
  'apache-arrow',
  'hyparquet',
  'hyparquet-writer',
  '@duckdb/node-api',
];

export function versions(): Readonly<Record<string, string>> {
  const mosquitto = mosquittoVersion();
  return {
    'mqtt-stream': versionIn('../../package.json'),
    node: process.versions.node,
    ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    ...(mosquitto === null ? {} : { mosquitto }),
  };
}

/** Of an installed package. */
export function versionOf(name: string): string {
  return versionIn(`../../node_modules/${name}/package.json`);
}

/** null if it is not on the PATH. */
export function mosquittoVersion(): string | null {
  try {
    return /version (\S+)/.exec(execFileSync('mosquitto', ['-h'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  } catch (error) {
    const { code, stdout } = error as { code?: string; stdout?: string };
    if (code === 'ENOENT') return null;
    // It answers with an exit code of 3.
    return /version (\S+)/.exec(stdout ?? '')?.[1] ?? 'unknown';
  }
}

/** `path` from where this module lies in dist/. */
function versionIn(path: string): string {
  return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
}
