/**
 * The one table of error codes. A code is stable API: it stands in results on `$STREAM/result/<id>`,
 * in HTTP answers, in logs and in the exit of the command line. `docs/errors.md` lists the same table.
 *
 * `message` is a template for `util.format`: what happened, to what, and what to do.
 * `reason` is the MQTT 5 reason code that goes with it, `status` the HTTP status.
 */
import { format } from 'node:util';

interface ErrorKind {
  readonly message: string;
  readonly reason: number;
  readonly status: number;
}

export const ERRORS = {
  // configuration and start
  CONFIG_UNREADABLE: { message: 'cannot read the configuration %s: %s', reason: 0x83, status: 500 },
  CONFIG_INVALID: { message: '%s', reason: 0x83, status: 400 },
  ACCESS_FILE_UNREADABLE: { message: 'the access file %s cannot be read: %s', reason: 0x83, status: 500 },
  ACCESS_FILE_INVALID: { message: 'the access file %s cannot be used: %s', reason: 0x83, status: 400 },
  PASSWORD_UNUSABLE: { message: 'the password cannot be used: %s', reason: 0x83, status: 400 },
  DATA_DIR_IN_USE: {
    message: 'the data folder %s is in use by process %s (started %s); stop it or choose another dataDir',
    reason: 0x83,
    status: 409,
  },
  DATA_DIR_UNUSABLE: { message: 'the data folder %s cannot be used: %s', reason: 0x83, status: 500 },
  AUDIT_UNUSABLE: { message: 'the audit file %s cannot be written: %s', reason: 0x83, status: 500 },
  PORT_IN_USE: {
    message: 'port %d on %s is in use by another process; stop it or change the port of this listener',
    reason: 0x83,
    status: 409,
  },
  LISTEN_FAILED: { message: 'cannot listen on %s:%d: %s', reason: 0x83, status: 500 },
  CREDENTIALS_UNREADABLE: { message: 'cannot read %s: %s', reason: 0x83, status: 500 },
  CREDENTIALS_INVALID: {
    message: '%s cannot be used for TLS: %s; a certificate and its private key are needed, both PEM',
    reason: 0x83,
    status: 500,
  },

  // encryption at rest
  KEY_UNUSABLE: { message: 'the encryption key "%s" cannot be used: %s', reason: 0x83, status: 500 },
  KEY_MISSING: {
    message:
      '%s needs %s, and the keys here are: %s; give it (encryption.keys, or --key-file), or move what needs it out of the data folder',
    reason: 0x83,
    status: 500,
  },
  KEY_WRONG: {
    message:
      '%s is encrypted with a key "%s" that is another one than the key of this id here; put the right one in its place',
    reason: 0x83,
    status: 500,
  },
  DECRYPT_FAILED: { message: '%s could not be decrypted: %s', reason: 0x80, status: 500 },

  // stored sessions
  STORE_IN_USE: {
    message:
      'the session store %s is open already, here or in another process; stop that or choose another dataDir',
    reason: 0x83,
    status: 409,
  },
  STORE_UNUSABLE: {
    message:
      'the session store %s cannot be read: %s; put a copy of it back, or move it away to begin without stored sessions and retained messages',
    reason: 0x83,
    status: 500,
  },
  STORE_VERSION: {
    message:
      'the session store %s has format %s, and this version reads %s; use the version that wrote it or move it away',
    reason: 0x83,
    status: 500,
  },
  STORE_WRITE_FAILED: {
    message:
      'the session store %s could not be written and keeps the changes in memory; they are tried again: %s',
    reason: 0x80,
    status: 503,
  },

  STORE_UNREACHABLE: {
    message:
      'the shared session store %s cannot be reached: %s; start Redis there or correct persistence.redis.url',
    reason: 0x88,
    status: 503,
  },

  // requests
  REQUEST_NOT_JSON: {
    message: 'the request is not a JSON object: %s; send one as in docs/requests.md',
    reason: 0x99,
    status: 400,
  },
  REQUEST_INVALID: { message: 'the request is not valid: %s', reason: 0x83, status: 400 },
  REQUEST_BAD_ID: {
    message: 'the request has no usable "id": 1 to 64 characters of A-Z a-z 0-9 _ - are needed',
    reason: 0x83,
    status: 400,
  },
  REQUEST_UNKNOWN: {
    message: '"%s" is not a request; known are $STREAM/search, replay, flush, files and status',
    reason: 0x83,
    status: 404,
  },
  REQUEST_BAD_RANGE: { message: 'the range is not usable: %s', reason: 0x83, status: 400 },
  REQUEST_ID_BUSY: {
    message: 'a request with id "%s" is still being answered; wait for its result or use another id',
    reason: 0x97,
    status: 409,
  },
  REQUEST_LIMIT: {
    message: 'too many requests: %s; wait and ask again',
    reason: 0x97,
    status: 429,
  },
  REQUEST_DENIED: {
    message: 'the rules do not let this client %s; ask whoever administers the broker',
    reason: 0x87,
    status: 403,
  },
  STREAM_NOT_FOUND: { message: 'there is no stream "%s"; known are: %s', reason: 0x83, status: 404 },
  STREAM_EXISTS: { message: 'a stream "%s" exists already; remove it first', reason: 0x83, status: 409 },
  FILE_CORRUPT: {
    message: 'the file %s cannot be read and was set aside: %s',
    reason: 0x80,
    status: 500,
  },
  DISK_FULL: {
    message: 'no room for %d bytes: the disk has %d left, and %d are kept free (disk.reserve)',
    reason: 0x97,
    status: 507,
  },
  CAPTURE_STOPPED: {
    message: 'stream "%s" captures nothing while the disk does not take what it has; the message was routed',
    reason: 0x97,
    status: 507,
  },
  FLUSH_FAILED: {
    message: 'stream "%s" could not be written yet and keeps its messages; it is tried again: %s',
    reason: 0x80,
    status: 503,
  },

  // routing
  TOPIC_RESERVED: {
    message: 'topic "%s" is reserved for the broker; publish elsewhere',
    reason: 0x87,
    status: 403,
  },

  ANSWER_INCOMPLETE: {
    message: 'the answer to request "%s" is not complete: %s',
    reason: 0x80,
    status: 502,
  },

  // HTTP
  HTTP_NOT_FOUND: { message: 'there is nothing at this address; known are %s', reason: 0x80, status: 404 },
  HTTP_METHOD: { message: '%s is not possible here; use %s', reason: 0x80, status: 405 },

  // transfer
  BROKER_UNREACHABLE: { message: 'no connection to the broker at %s: %s', reason: 0x88, status: 503 },
  TRANSFER_BAD_REQUEST: { message: 'the transfer request is not valid: %s', reason: 0x83, status: 400 },
  TRANSFER_OUTSIDE: {
    message: 'the file "%s" is outside the data folder and is not sent',
    reason: 0x87,
    status: 403,
  },
  TRANSFER_READ_FAILED: { message: 'the file %s could not be read: %s', reason: 0x80, status: 500 },
  TRANSFER_CHECKSUM: {
    message: 'the file "%s" was received with another %s than announced and is not kept',
    reason: 0x80,
    status: 500,
  },
  TRANSFER_INCOMPLETE: { message: 'the transfer of "%s" ended early: %s', reason: 0x80, status: 500 },

  // the rest
  SHUTTING_DOWN: { message: 'the broker is stopping', reason: 0x8b, status: 503 },
  INTERNAL: { message: 'internal error: %s; please report it', reason: 0x80, status: 500 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** An error of the table. `code` is for programs, `message` for people. */
export class MqttStreamError extends Error {
  readonly code: ErrorCode;
  /** MQTT 5 reason code. */
  readonly reason: number;
  /** HTTP status. */
  readonly status: number;

  constructor(code: ErrorCode, args: readonly unknown[] = [], options?: ErrorOptions) {
    super(format(ERRORS[code].message, ...args), options);
    this.name = 'MqttStreamError';
    this.code = code;
    this.reason = ERRORS[code].reason;
    this.status = ERRORS[code].status;
  }

  toJSON(): { code: ErrorCode; message: string } {
    return { code: this.code, message: this.message };
  }
}

/** The text of anything thrown, without its stack. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The given error if it is one of ours, else `INTERNAL` with the original as its cause. */
export function asKnown(thrown: unknown): MqttStreamError {
  return thrown instanceof MqttStreamError
    ? thrown
    : new MqttStreamError('INTERNAL', [textOf(thrown)], { cause: thrown });
}
