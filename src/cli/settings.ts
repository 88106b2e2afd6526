import { readDocument } from '../config/document.js';
import { dotted } from '../config/path.js';
import { noSuchKey } from '../config/problem.js';
import { configSchema } from '../config/schema.js';
import { isList, keysOf, schemaAt } from '../config/shape.js';
import { MqttStreamError } from '../errors.js';

type Tree = Record<string, unknown>;

/**
 * What `--set key=value` on the command line says, as a partial configuration. Keys are dotted, values are YAML.
 * @throws CONFIG_INVALID, also for a key below a list: lists are set as a whole.
 */
export function settingsOf(settings: readonly string[]): Tree {
  const tree = emptyTree();
  for (const setting of settings) {
    const sign = setting.indexOf('=');
    if (sign < 1) throw wrong(setting, 'expected key=value, such as http.port=8090');
    const path = setting.slice(0, sign).split('.');
    checkPath(path);
    const { tree: value, problems } = readDocument(setting.slice(sign + 1), '');
    const [problem] = problems;
    if (problem !== undefined) throw wrong(dotted(path), problem.text);
    place(tree, path, value);
  }
  return tree;
}

function checkPath(path: readonly string[]): void {
  for (let length = 1; length <= path.length; length++) {
    const above = path.slice(0, length - 1);
    const schema = schemaAt(configSchema, above)!;
    if (isList(schema)) {
      throw wrong(dotted(path), `"${dotted(above)}" is a list and set as a whole, such as [{...}, {...}]`);
    }
    const known = keysOf(schema);
    if (known.includes(path[length - 1])) continue;
    const text = known.length > 0 ? noSuchKey(path[length - 1], known) : `"${dotted(above)}" has no keys`;
    throw wrong(dotted(path), text);
  }
}

function place(tree: Tree, path: readonly string[], value: unknown): void {
  let map = tree;
  for (const key of path.slice(0, -1)) {
    const below = map[key];
    if (typeof below !== 'object' || below === null || Array.isArray(below)) map[key] = emptyTree();
    map = map[key] as Tree;
  }
  map[path[path.length - 1]] = value;
}

function emptyTree(): Tree {
  return Object.create(null) as Tree;
}

function wrong(key: string, text: string): MqttStreamError {
  return new MqttStreamError('CONFIG_INVALID', [`command line: ${key}: ${text}`]);
}
