import { Socket } from 'node:net';

const BUFFER_BYTES = 64 * 1024;
/** From here on a connection reads into memory of its own; below the other one it goes back to the common buffer. */
const MUCH = 16 * 1024;
const LITTLE = 4 * 1024;

/** What connections with little to read are read into, one after another. */
const COMMON = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** What Node's sockets have inside: their handle, and the server that counts them. */
interface Inside {
  _handle: unknown;
  _server: unknown;
}

/** A stream that can be told where the next chunk is to be read to. */
export interface ReadingSocket extends Socket {
  /** null: anywhere. */
  wanted?: () => Buffer | null;
}

/**
 * The socket of a connection that was accepted (paused), reading into memory that Node does not allocate for each
 * read: its 64 KiB a message, with many connections that send little, were a third of the time and let the garbage
 * collector pause for 1.6 ms instead of 0.5. Such a read is copied out of a common buffer; who sends much gets a new
 * buffer for each read, from which nothing is copied; and what is `wanted` somewhere is read to there. Chunks come as
 * 'data', as with any other stream.
 *
 * Node offers this (`onread`) only to sockets that connect. Taking the handle over is the one thing here that it does
 * not document; where that is not possible the socket stays as it is, and works.
 */
export function readingSocket(accepted: Socket): ReadingSocket {
  const inside = accepted as unknown as Inside;
  const handle = inside._handle;
  if (!handle) return accepted;
  let own: Buffer | null = null;
  let socket: ReadingSocket | null = null;
  const options = {
    handle,
    onread: {
      buffer: (): Buffer => socket?.wanted?.() ?? own ?? COMMON,
      callback: (bytes: number, buffer: Buffer): boolean => {
        let chunk = buffer.subarray(0, bytes);
        if (buffer === COMMON) {
          chunk = Buffer.from(chunk);
          if (bytes >= MUCH) own = Buffer.allocUnsafeSlow(BUFFER_BYTES);
        } else if (buffer === own) {
          own = bytes >= LITTLE ? Buffer.allocUnsafeSlow(BUFFER_BYTES) : null;
        }
        socket!.emit('data', chunk);
        return true;
      },
    },
  };
  socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  (socket as unknown as Inside)._server = inside._server;
  inside._handle = null;
  inside._server = null;
  return socket;
}
