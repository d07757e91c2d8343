// Medians, tables for people, and errors for them too.

/** @param {number[]} values */
export function median(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (known.length === 0) return NaN;
  const middle = known.length >> 1;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

/** Three significant digits, as people write them: 168,000 and 5.61. */
export function number(value) {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', { minimumSignificantDigits: value === 0 ? 1 : 3, maximumSignificantDigits: 3 });
}

/** Columns as wide as they need to be; the first to the left, the others to the right. @param {string[][]} rows */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [line(rows[0]), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.slice(1).map(line)].join('\n');
}

/** Whatever goes wrong ends the program with one plain message and status 1. */
export function reportPlainly() {
  const end = (error) => {
    console.error(`bench: ${error.message}`);
    process.exit(1);
  };
  process.on('uncaughtException', end).on('unhandledRejection', end);
}
