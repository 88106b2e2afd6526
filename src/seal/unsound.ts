/** Contents that are not what was written; its text says in which way. Not of the system, nor of missing keys. */
export class Unsound extends Error {}
