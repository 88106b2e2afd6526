/** The part of a pino logger that the broker uses. */
export interface Log {
  debug(what: object, text: string): void;
  info(what: object, text: string): void;
  warn(what: object, text: string): void;
  error(what: object, text: string): void;
}
