/** The configuration a process starts with: defaults < file < environment < command line. */
import { MqttStreamError, textOf } from '../errors.js';
import { readDocument } from './document.js';
import { readEnvironment } from './environment.js';
import { assignmentsOf, LayeredDocument } from './layer.js';
import { check, invalid } from './problem.js';
import { type Config, configSchema, DEFAULT_LISTENERS } from './schema.js';

/** Read if no file is named and there is one. */
export const DEFAULT_FILE = 'config.yaml';

export interface ConfigSources {
  /** Must exist if given. */
  readonly file?: string;
  /** Variables that start with `MQTT_STREAM_`; others are not looked at. */
  readonly env: NodeJS.ProcessEnv;
  /** From the command line: a partial `ConfigInput`. Maps are merged, lists replaced. */
  readonly overrides?: object;
  /** The text of a file; rejects with `code: 'ENOENT'` if there is none. */
  readonly readFile: (file: string) => Promise<string>;
}

/**
 * @throws CONFIG_UNREADABLE if the file cannot be read.
 * @throws CONFIG_INVALID with all problems, one a line: `config.yaml:12: streams[0].ring.whenFull: ...`.
 * The name of a variable or `command line` stands in the place of file and line if the value is from there.
 */
export async function loadConfig({ file, env, overrides, readFile }: ConfigSources): Promise<Config> {
  const name = file ?? DEFAULT_FILE;
  const text = await textIn(name, file !== undefined, readFile);
  const document = readDocument(text ?? '', name);
  const environment = readEnvironment(configSchema, env);

  const layered =
    text === undefined
      ? new LayeredDocument({ tree: withListeners(document.tree), lines: new Map() }, 'defaults')
      : new LayeredDocument({ tree: withListeners(document.tree), lines: document.lines }, name);
  for (const assignment of environment.assignments) layered.assign(assignment);
  for (const assignment of assignmentsOf(overrides, 'command line')) layered.assign(assignment);

  // Without the file every key could be missing: its own problems are enough then.
  const { value, problems } =
    document.tree === undefined ? { problems: [] } : check(configSchema, layered.tree);
  const all = [...document.problems, ...environment.problems, ...problems];
  if (value === undefined || all.length > 0) throw invalid(all, (path) => layered.placeOf(path));
  return value;
}

/** Undefined if there is no such file and there need not be one. */
async function textIn(
  file: string,
  mustExist: boolean,
  readFile: ConfigSources['readFile'],
): Promise<string | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (absent && !mustExist) return undefined;
    throw new MqttStreamError('CONFIG_UNREADABLE', [file, textOf(cause)], { cause });
  }
}

/** Puts the default listeners in, so that `MQTT_STREAM_LISTENERS__0__PORT` changes the first of them. */
function withListeners(tree: unknown): unknown {
  const isMap = typeof tree === 'object' && tree !== null && !Array.isArray(tree);
  return isMap && !('listeners' in tree) ? { __proto__: null, ...tree, listeners: DEFAULT_LISTENERS } : tree;
}
