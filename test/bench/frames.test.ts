import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { clientFrame, FrameReader, upgradeRequest } from '../../bench/load/frames.js';

/** Around each of the three ways in which a frame gives its length. */
const LENGTHS = [1, 3, 4, 125, 126, 65_535, 65_536, 200_001];

function payload(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, n) => (n * 7 + length) & 255));
}

test('what the load generator sends and receives over WebSocket is what ws understands and sends', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  t.after(() => server.close());
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.ping('not for MQTT');
    socket.on('message', (data) => socket.send(data));
  });
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write(upgradeRequest(port));
  const reader = new FrameReader();
  const received: Buffer[] = [];
  const sent = Buffer.concat(LENGTHS.map(payload));
  let bytes = 0;
  for await (const chunk of client) {
    const wasOpen = reader.open;
    // In pieces, so that heads of frames are cut as well.
    for (let at = 0; at < chunk.length; at += 1001) {
      const piece = Buffer.from(chunk.subarray(at, at + 1001));
      received.push(piece.subarray(0, reader.unwrap(piece, 0, piece.length)));
      bytes += received.at(-1)!.length;
    }
    if (!wasOpen && reader.open) for (const length of LENGTHS) client.write(clientFrame(payload(length)));
    if (bytes >= sent.length) break;
  }
  assert.ok(Buffer.concat(received).equals(sent));
});

test('payloads of frames that are cut anywhere are put together', () => {
  const frames = Buffer.concat([
    Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
    Buffer.of(0x82, 3),
    Buffer.from('abc'),
    Buffer.of(0x89, 2),
    Buffer.from('zz'),
    Buffer.of(0x02, 126, 0, 4),
    Buffer.from('defg'),
    Buffer.of(0x80, 1),
    Buffer.from('h'),
  ]);
  for (let size = 1; size <= frames.length; size++) {
    const reader = new FrameReader();
    let text = '';
    for (let at = 0; at < frames.length; at += size) {
      const piece = Buffer.from(frames.subarray(at, at + size));
      text += piece.toString('latin1', 0, reader.unwrap(piece, 0, piece.length));
    }
    assert.equal(text, 'abcdefgh', `in pieces of ${size}`);
  }
});

test('a refused upgrade is an error', () => {
  const answer = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n');
  assert.throws(() => new FrameReader().unwrap(answer, 0, answer.length), /400 Bad Request/);
});
