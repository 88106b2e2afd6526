/** Rows of cells as lines whose cells stand below each other. `right`: all but the first cell at the right side. */
export function columns(rows: readonly (readonly string[])[], side: 'left' | 'right' = 'left'): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const padded = (cell: string, i: number) =>
    side === 'left' || i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]);
  return rows.map((row) => row.map(padded).join('  ').trimEnd());
}
