/** What is written down: who comes and goes, what is denied, who reads history, what is changed. */

/** Who it was. The client says so itself, but for the address. */
export interface AuditedClient {
  readonly client: string | null;
  readonly user: string | null;
  readonly address: string | null;
}

interface Denied extends AuditedClient {
  readonly topic: string;
  /** MQTT 5 reason code. */
  readonly code: number;
}

/** By kind. */
interface Events {
  readonly connected: AuditedClient & { readonly version: number; readonly clean: boolean };
  readonly refused: AuditedClient & { readonly reason: string };
  /** `code`: of the DISCONNECT that was received or sent, or 0x80. */
  readonly disconnected: AuditedClient & { readonly code: number; readonly reason: string };
  readonly 'publish-denied': Denied;
  readonly 'subscribe-denied': Denied;
  readonly history: {
    readonly client: string;
    /** search, replay, files or flush, or what was taken for one. */
    readonly op: string;
    /** As it came. */
    readonly request: string;
    /** Code of the table of errors. */
    readonly error: string | null;
    readonly messages: number;
    readonly files: number;
  };
  readonly config: {
    readonly change: 'started' | 'stream added' | 'stream removed';
    readonly stream?: string;
  };
}

export type AuditKind = keyof Events;

/** `audit` is its kind. */
export type AuditEvent = { [Kind in AuditKind]: { readonly audit: Kind } & Events[Kind] }[AuditKind];

export interface Audit {
  record(event: AuditEvent): void;
}

export const NO_AUDIT: Audit = { record: () => {} };
