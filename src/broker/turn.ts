import type { Duplex } from 'node:stream';

/** Everything that is written to a connection in one turn of the event loop leaves with one system call. */
export function writeOnceATurn(conn: Duplex): void {
  const write = conn.write.bind(conn) as (...args: unknown[]) => boolean;
  let corked = false;
  const uncork = () => {
    corked = false;
    conn.uncork();
  };
  conn.write = ((...args: unknown[]) => {
    if (!corked) {
      corked = true;
      conn.cork();
      setImmediate(uncork);
    }
    return write(...args);
  }) as typeof conn.write;
}
