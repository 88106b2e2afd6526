import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, type Logger } from '../src/log.js';

function textLog(level = 'trace'): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: createLog({ level, format: 'text' }, (line) => lines.push(line)) };
}

/** The line without its time, which is checked. */
function lineOf(write: (log: Logger) => void): string {
  const { log, lines } = textLog();
  write(log);
  assert.equal(lines.length, 1);
  const [, time, rest] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (.*\n)$/s.exec(lines[0]!)!;
  assert.ok(Math.abs(Date.parse(time!) - Date.now()) < 60_000);
  return rest!;
}

test('text: time, level, message, fields', () => {
  assert.equal(
    lineOf((log) => log.info({ stream: 'vehicle', rows: 3, none: null }, 'a file was written')),
    'info  a file was written stream=vehicle rows=3 none=null\n',
  );
  assert.equal(
    lineOf((log) => log.warn({ path: 'a b', list: [1], empty: '' }, 'x')),
    'WARN  x path="a b" list=[1] empty=""\n',
  );
  const levels = (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).map((level) =>
    lineOf((log) => log[level]('x')).trim(),
  );
  assert.deepEqual(levels, ['trace x', 'debug x', 'info  x', 'WARN  x', 'ERROR x', 'FATAL x']);
});

test('text: an error is its message, whatever was thrown', () => {
  const reason = (err: unknown) => lineOf((log) => log.error({ err }, 'x')).slice('ERROR x'.length, -1);
  assert.equal(reason(new Error('no space')), ' error="no space"');
  assert.equal(reason(new TypeError('EIO')), ' error=EIO');
  assert.equal(reason('a text'), ' error="a text"');
  assert.equal(reason(7), ' error=7');
  assert.equal(reason(null), ' error=null');
  assert.equal(reason({ code: 5 }), ' error={"code":5}');
  assert.equal(reason(new Error('')), ' error=""');
});

test('text: one event is one line, commands no terminal and turns no text around, whatever stands in it', () => {
  const hostile = 'a\nb\r\u0000\u001b[2J\u007f\u009b31m\u2028\u2029\u0085\u202e\u2066"é😀';
  const line = lineOf((log) => log.error({ topic: hostile, [hostile]: 1, err: new Error(hostile) }, hostile));
  assert.equal(line.indexOf('\n'), line.length - 1);
  assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
  assert.match(line, /^ERROR a\\u000ab\\u000d\\u0000\\u001b\[2J\\u007f\\u009b31m/);
  assert.match(line, /é😀/);
});

test('text: fields may be called as anything', () => {
  const { log, lines } = textLog();
  log.info({ hostname: 'h', pid: 1, __proto__: 5 }, 'x');
  assert.match(lines[0]!, /info {2}x hostname=h pid=1\n$/);
});

test('json: one object a line', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'json' }, (line) => lines.push(line));
  log.info({ topic: 'a\nb' }, 'one');
  log.error({ err: new Error('two') }, 'two');
  log.debug('not this');
  assert.equal(lines.length, 2);
  const [one, two] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([one.level, one.msg, one.topic], [30, 'one', 'a\nb']);
  assert.equal(two.err.message, 'two');
  for (const line of lines) assert.equal(line.indexOf('\n'), line.length - 1);
});

test('levels: less is not written, silent writes nothing', () => {
  const { log, lines } = textLog('warn');
  log.info('no');
  log.warn('yes');
  assert.equal(lines.length, 1);
  const silent = textLog('silent');
  silent.log.fatal('no');
  assert.deepEqual(silent.lines, []);
});
