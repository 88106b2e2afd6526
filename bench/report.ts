import type { Machine } from './machine.js';
import type { Answer } from './question.js';
import { QUESTIONS, type QuestionName } from './questions.js';
import { isMet, type Metric, medianOf, type Row, type Table, type Target } from './table.js';

/** Everything that one call of the command measured. */
export interface Report {
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly questions: readonly { readonly name: QuestionName; readonly answer: Answer }[];
}

/** Share of the cores that other work used before. */
const BUSY = 0.25;

/** Lines of cells under a head; how they are put together is up to the caller. */
interface Cells {
  readonly head: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

/** For a terminal. */
export function textOf(name: QuestionName, answer: Answer, quick: boolean): string {
  const lines = [`${name}: ${QUESTIONS[name].asks}${quick ? ' (quick: these figures mean nothing)' : ''}`];
  for (const table of answer.tables) lines.push('', `  ${table.title}`, ...aligned(cellsOf(table)));
  if (answer.targets.length > 0 && !quick)
    lines.push('', ...answer.targets.map((target) => `  ${targetText(target)}`));
  lines.push('', ...answer.notes.map((note) => `  - ${note}`), '');
  return `${lines.join('\n')}\n`;
}

/** For a file in the repository. */
export function markdownOf({ command, date, quick, machine, versions, questions }: Report): string {
  const { processor, cores, memoryBytes, system, load } = machine;
  const gib = (memoryBytes / 2 ** 30).toFixed(0);
  const lines = [
    '# Results',
    '',
    `Written by \`${command}\` on ${date.slice(0, 10)}. Medians of all rounds, in brackets the least and the most; ` +
      'contenders took turns in one run, and whoever lost a message has no figure.',
    '',
    `- ${processor}, ${cores} cores, ${gib} GiB, ${system}; ${load.toFixed(1)} processes wanted to run before the start`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  ];
  if (load > BUSY * cores) lines.push('- Other work was running: this machine can do more.');
  if (quick) lines.push('- A quick run: these figures mean nothing.');
  for (const { name, answer } of questions) {
    lines.push('', `## ${name}: ${QUESTIONS[name].asks}`);
    for (const table of answer.tables) {
      const { head, lines: cells } = cellsOf(table);
      const rule = head.map((_, index) => (index < 2 ? '---' : '---:'));
      lines.push('', `${table.title}:`, '', ...[head, rule, ...cells].map((one) => `| ${one.join(' | ')} |`));
    }
    const targets = quick ? [] : answer.targets.map((target) => `- ${targetText(target)}`);
    lines.push('', ...targets, ...answer.notes.map((note) => `- ${note}`));
  }
  return `${lines.join('\n')}\n`;
}

function cellsOf({ metrics, moreIsBetter, rows }: Table): Cells {
  const [first, ...others] = metrics;
  const compared = rows.some((row) => ratio(row, rows, first, moreIsBetter) !== '');
  const lines = rows.map((row) => {
    if (row.failure !== null)
      return [row.case, row.who, `no figure: ${row.failure}`, ...metrics.map(() => '')];
    const cells = [row.case, row.who, number(medianOf(row, first.key), first), `(${spread(row, first)})`];
    if (compared) cells.push(ratio(row, rows, first, moreIsBetter));
    return [...cells, ...others.map((metric) => number(medianOf(row, metric.key), metric))];
  });
  const head = ['', '', first.title, '(least-most)', ...(compared ? ['mqtt-stream is'] : [])];
  return { head: [...head, ...others.map(({ title }) => title)], lines };
}

/** How many times as good we are, in the row of a peer. */
function ratio(row: Row, rows: readonly Row[], { key }: Metric, moreIsBetter: boolean): string {
  if (row.ours || row.failure !== null) return '';
  // "mqtt-stream, zstd" is compared with "DuckDB, zstd".
  const variant = row.who.split(', ')[1];
  const ours = rows.filter((one) => one.ours && one.case === row.case);
  const rival = ours.find(({ who }) => who.split(', ')[1] === variant) ?? ours[0];
  const share = medianOf(rival, key) / medianOf(row, key);
  return `${number(moreIsBetter ? share : 1 / share, { digits: share > 10 ? 1 : 2 })} x as good`;
}

function spread(row: Row, metric: Metric): string {
  const values = row.samples.map((sample) => sample[metric.key]);
  return `${number(Math.min(...values), metric)}-${number(Math.max(...values), metric)}`;
}

function targetText(target: Target): string {
  const { what, unit, value, limit, atLeast } = target;
  const shown = (figure: number) => number(figure, { digits: figure < 100 ? 2 : 0 });
  const goal = `target: at ${atLeast ? 'least' : 'most'} ${shown(limit)} ${unit}`;
  return `${isMet(target) ? 'met' : 'MISSED'}: ${what}: ${shown(value)} ${unit} (${goal})`;
}

function number(value: number, { digits }: Pick<Metric, 'digits'>): string {
  if (Number.isNaN(value)) return '-';
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function aligned({ head, lines }: Cells): string[] {
  const all = [head, ...lines];
  // A failure is as long as it is.
  const widths = head.map((_, column) =>
    Math.max(...all.filter((line) => !line[2].startsWith('no figure')).map((line) => line[column].length)),
  );
  return all.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd()
      .replace(/^/, '  '),
  );
}
