/** The way from the root of a configuration to one of its values: keys of maps, indexes of lists. */
export type Path = readonly (string | number)[];

/** `streams[0].ring.whenFull`. Two paths have the same text only if they are the same path. */
export function dotted(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part);
    return text === '' ? key : `${text}.${key}`;
  }, '');
}
