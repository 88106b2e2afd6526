import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initSchema } from '../../src/transfer/messages.js';
import { type Publish, sendFile, WINDOW } from '../../src/transfer/sending.js';
import { openForReading, type ReadableFile, Source } from '../../src/transfer/source.js';
import type { Step } from '../../src/transfer/topics.js';
import { bytesOf, sha256Of, storeFile, tempFolder } from './fixture.js';

const STREAM = { stream: 'vehicle', chunkBytes: 100 };

/** Acknowledges at once and keeps a copy, as the buffer is used again. */
function recorder(): { steps: Step[]; payloads: Buffer[]; publish: Publish } {
  const steps: Step[] = [];
  const payloads: Buffer[] = [];
  return {
    steps,
    payloads,
    publish: async (step, payload) => {
      steps.push(step);
      payloads.push(Buffer.from(payload as Buffer));
    },
  };
}

for (const bytes of [0, 1, 99, 100, 101, 400, 1050]) {
  test(`${bytes} bytes go in ascending chunks between init and fin`, async (t) => {
    const root = await tempFolder(t);
    const content = bytesOf(bytes);
    const file = await storeFile(root, 1, content);
    const source = await Source.open(root, file, openForReading);
    t.after(() => source.close());
    const { steps, payloads, publish } = recorder();
    // Without a sum in the request it is computed first, and init is the same.
    await sendFile(source, { ...STREAM, file: { ...file, sha256: null } }, publish);

    const offsets = Array.from({ length: Math.ceil(bytes / 100) }, (_, i) => i * 100);
    assert.deepEqual(steps, ['init', ...offsets, 'fin']);
    const { path: _, ...described } = file;
    assert.deepEqual(JSON.parse(payloads[0]!.toString()), { ...described, ...STREAM });
    assert.deepEqual(initSchema.parse(JSON.parse(payloads[0]!.toString())), { ...described, ...STREAM });
    assert.deepEqual(JSON.parse(payloads.at(-1)!.toString()), { bytes, sha256: sha256Of(content) });
    assert.deepEqual(Buffer.concat(payloads.slice(1, -1)), content);
  });
}

test('at most WINDOW chunks are read ahead of their acknowledgement, and no more buffers exist', async (t) => {
  const root = await tempFolder(t);
  const chunks = 20;
  const content = bytesOf(chunks * 100);
  const file = await storeFile(root, 1, content);
  const buffers = new Set<number>();
  let read = 0;
  let acknowledged = 0;
  const source = await Source.open(root, file, async (path) => {
    const handle = await openForReading(path);
    return {
      stat: () => handle.stat(),
      close: () => handle.close(),
      read: (buffer, offset, length, position) => {
        buffers.add(buffer.byteOffset);
        read++;
        assert.ok(read - acknowledged <= WINDOW, `${read} read, ${acknowledged} acknowledged`);
        return handle.read(buffer, offset, length, position);
      },
    };
  });
  t.after(() => source.close());

  // As late as can be: one is acknowledged when no other can come, so a smaller window would never end.
  const held: { payload: Buffer; resolve: () => void }[] = [];
  const received: Buffer[] = [];
  const acknowledgeWhenFull = (): void => {
    if (held.length < Math.min(WINDOW, chunks - acknowledged)) return;
    const eldest = held.shift();
    if (!eldest) return;
    // Untouched until now, though others were read meanwhile.
    received.push(Buffer.from(eldest.payload));
    acknowledged++;
    eldest.resolve();
    if (read === chunks) setImmediate(acknowledgeWhenFull);
  };
  await sendFile(source, { ...STREAM, file }, (step, payload) => {
    if (typeof step !== 'number') return Promise.resolve();
    return new Promise((resolve) => {
      held.push({ payload: payload as Buffer, resolve });
      setImmediate(acknowledgeWhenFull);
    });
  });
  assert.equal(read, chunks);
  assert.deepEqual(Buffer.concat(received), content);
  assert.equal(buffers.size, WINDOW);
});

test('a file that changes or shrinks while it is sent does not reach fin', async (t) => {
  const root = await tempFolder(t);
  const content = bytesOf(1000);
  const file = await storeFile(root, 1, content);
  const cases: [ReadableFile['read'], RegExp][] = [
    [
      async (buffer, offset, length, position) => ({
        bytesRead: position >= 500 ? 0 : content.copy(buffer, offset, position, position + length),
      }),
      /ends at 500$/,
    ],
    [
      async (buffer, offset, length, position) => {
        content.copy(buffer, offset, position, position + length);
        if (position === 900) buffer[offset]! ^= 1;
        return { bytesRead: length };
      },
      /sha256/,
    ],
    [
      async (buffer, offset, length, position) => {
        if (position === 300) throw Object.assign(new Error('EIO: /secret/path'), { code: 'EIO' });
        content.copy(buffer, offset, position, position + length);
        return { bytesRead: length };
      },
      /: EIO$/,
    ],
  ];
  for (const [read, message] of cases) {
    const source = await Source.open(root, file, async () => ({
      stat: async () => ({ size: 1000, isFile: () => true }),
      read,
      close: async () => undefined,
    }));
    const { steps, publish } = recorder();
    await assert.rejects(sendFile(source, { ...STREAM, file }, publish), {
      code: 'TRANSFER_READ_FAILED',
      message,
    });
    assert.equal(steps[0], 'init');
    assert.ok(!steps.includes('fin'));
  }
});

test('a refused chunk ends the file, whichever it is and whatever is under way', async (t) => {
  const root = await tempFolder(t);
  const file = await storeFile(root, 1, bytesOf(1000));
  for (const refused of ['init', 0, 300, 900, 'fin'] as const) {
    const source = await Source.open(root, file, openForReading);
    const { steps, publish } = recorder();
    await assert.rejects(
      sendFile(source, { ...STREAM, file }, async (step, payload) => {
        await publish(step, payload);
        if (step === refused) throw new Error('refused');
        // The others fail, too, in a turn of their own: none of them may be left unhandled.
        if (refused !== 'fin' && typeof step === 'number' && step > 500) throw new Error('refused');
      }),
      /refused/,
    );
    assert.ok(!steps.includes('fin') || refused === 'fin');
    await source.close();
  }
});
