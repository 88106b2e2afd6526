import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { asKnown, ERRORS, type ErrorCode, MqttStreamError, textOf } from '../src/errors.js';

/** MQTT 5, section 2.4: those that mean failure. */
const REASONS = new Set([
  ...[0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f],
  ...[0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f],
  ...[0xa0, 0xa1, 0xa2],
]);

const codes = Object.keys(ERRORS) as ErrorCode[];

function row(code: ErrorCode): string {
  const { message, reason, status } = ERRORS[code];
  const text = message.replaceAll('|', '\\|');
  return `| \`${code}\` | ${text} | 0x${reason.toString(16)} | ${status} |`;
}

test('docs/errors.md has the table, row by row', async () => {
  const docs = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = docs.split('\n').filter((line) => line.startsWith('| `'));
  assert.deepEqual(rows, codes.map(row));
});

test('every code has a message for people, a failure of MQTT 5 and one of HTTP', () => {
  for (const code of codes) {
    const { message, reason, status } = ERRORS[code];
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    assert.match(message, /^[^\n]*[^.\s]$/, code);
    assert.ok(REASONS.has(reason), code);
    assert.ok(Number.isInteger(status) && status >= 400 && status < 600, code);
  }
});

test('an error fills its template and carries what goes with its code', () => {
  const cause = new Error('why');
  for (const code of codes) {
    const places = ERRORS[code].message.match(/%[sd]/g) ?? [];
    const args = places.map((place, i) => (place === '%d' ? 1000 + i : `<${i}>`));
    const error = new MqttStreamError(code, args, { cause });
    assert.ok(error instanceof Error);
    assert.ok(!/%[sd]/.test(error.message), error.message);
    for (const arg of args) assert.ok(error.message.includes(String(arg)), error.message);
    const { reason, status } = ERRORS[code];
    assert.deepEqual(
      [error.name, error.code, error.reason, error.status, error.cause],
      ['MqttStreamError', code, reason, status, cause],
    );
    assert.equal(JSON.stringify({ error }), JSON.stringify({ error: { code, message: error.message } }));
  }
  assert.equal(new MqttStreamError('STREAM_EXISTS', ['%s %d']).message.slice(0, 16), 'a stream "%s %d"');
});

test('what is thrown has a text, and a code of the table', () => {
  assert.equal(textOf(new TypeError('bad')), 'bad');
  assert.equal(textOf('text'), 'text');
  assert.equal(textOf(undefined), 'undefined');
  assert.equal(textOf({ toString: () => 'odd' }), 'odd');

  const known = new MqttStreamError('SHUTTING_DOWN');
  assert.equal(asKnown(known), known);
  for (const thrown of [new RangeError('bad'), 'bad']) {
    const error = asKnown(thrown);
    assert.deepEqual([error.code, error.cause], ['INTERNAL', thrown]);
    assert.match(error.message, /bad/);
  }
});
