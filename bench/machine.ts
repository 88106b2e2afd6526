import { spawnSync } from 'node:child_process';
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
  'aedes-stock',
  'parquet-wasm',
  'apache-arrow',
  'hyparquet',
  'hyparquet-writer',
  '@duckdb/node-api',
];

export function versions(): Readonly<Record<string, string>> {
  const mosquitto = mosquittoVersion();
  const nanomq = nanomqVersion();
  return {
    'mqtt-stream': versionIn('../../package.json'),
    node: process.versions.node,
    ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    ...(mosquitto === null ? {} : { mosquitto }),
    ...(nanomq === null ? {} : { nanomq }),
  };
}

/** Of an installed package. */
export function versionOf(name: string): string {
  return versionIn(`../../node_modules/${name}/package.json`);
}

/** null if it is not on the PATH. */
export function mosquittoVersion(): string | null {
  return programVersion('mosquitto', '-h', /version (\S+)/);
}

/** null if it is not on the PATH. */
export function nanomqVersion(): string | null {
  return programVersion('nanomq', '--version', /\bv?(\d+\.\d+\S*)/);
}

function programVersion(command: string, option: string, version: RegExp): string | null {
  const { error, stdout, stderr } = spawnSync(command, [option], { encoding: 'utf8', timeout: 5000 });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return null;
  // Its exit code says nothing: that of mosquitto is 3.
  return version.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}

/** `path` from where this module lies in dist/. */
function versionIn(path: string): string {
  return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
}
