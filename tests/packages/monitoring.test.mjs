// The alert rules and the dashboard: they are understood, they fire when they should, and they ask for what is there.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { repository } from '../lib/server.mjs';
import { cache, isInstalled, packaging, run } from './commands.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const alerts = path.join(packaging, 'prometheus/alerts.yml');
const away = isInstalled('promtool') ? false : 'no promtool here';

/** @type {{ alert: string, expr: string, annotations: Record<string, string> }[]} */
const rules = parse(readFileSync(alerts, 'utf8')).groups.flatMap((/** @type {any} */ group) => group.rules);
const dashboard = JSON.parse(readFileSync(path.join(packaging, 'grafana/aloha.json'), 'utf8'));
/** @type {any[]} */
const panels = dashboard.panels;

/** All that the dashboard asks Prometheus. */
const questions = [
  ...panels.flatMap((panel) => (panel.targets ?? []).map((/** @type {any} */ target) => target.expr)),
  ...dashboard.annotations.list.map((/** @type {any} */ row) => row.expr),
];

/** The metrics of docs/operations.md with their types. */
const documented = new Map([...readFileSync(path.join(repository, 'docs/operations.md'), 'utf8')
  .matchAll(/^\| `((?:aloha|process)_\w+)(?:\{[\w,]*\})?` \| (\w+) \|/gm)].map(([, name, type]) => [name, type]));

/** The documented metric that a series belongs to. @param {string} series */
function metricOf(series) {
  const whole = series.replace(/_(bucket|sum|count)$/, '');
  return documented.get(whole) === 'histogram' ? whole : series;
}

/** The series that an expression names. @param {string} expr */
const seriesIn = (expr) => [...expr.replace(/"[^"]*"/g, '""').matchAll(/\b((?:aloha|process)_\w+)\b/g)].map(([, name]) => name);

describe('the alert rules', () => {
  it('are understood by Prometheus', { skip: away }, () => {
    assert.match(run(['promtool', 'check', 'rules', alerts]), new RegExp(`${rules.length} rules found`));
  });

  it('fire when they should, and only then', { skip: away }, () => {
    run(['promtool', 'test', 'rules', path.join(here, 'alerts.test.yml')]);
  });

  it('each has been seen firing in those tests', () => {
    const seen = readFileSync(path.join(here, 'alerts.test.yml'), 'utf8');
    for (const { alert, annotations } of rules) {
      assert.ok(seen.includes(`alertname="${alert}"`), alert);
      assert.ok(annotations.summary && annotations.description, `${alert} says what to do`);
    }
  });
});

describe('the dashboard', () => {
  it('asks what Prometheus understands', { skip: away }, () => {
    const file = path.join(cache, 'dashboard.rules.yml');
    const plain = questions.map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'aloha').replaceAll('$instance', '.*'));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: plain.map((expr, i) => ({ record: `question_${i}`, expr })) }] }));
    assert.ok(plain.length > 20);
    run(['promtool', 'check', 'rules', '--lint=none', file]);
  });

  it('has panels that each have a place, a number and a question', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    /** @type {Map<string, string>} */
    const taken = new Map();
    for (const { title, type, gridPos: { x, y, w, h }, targets } of panels) {
      assert.ok(x + w <= 24, title);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          assert.equal(taken.get(`${column},${row}`), undefined, `${title} lies on another panel`);
          taken.set(`${column},${row}`, title);
        }
      }
      assert.equal(targets === undefined, type === 'row', title);
    }
  });

  it('takes its data source from a variable, so that it can be imported anywhere', () => {
    for (const panel of panels.filter(({ type }) => type !== 'row')) {
      assert.equal(panel.datasource.uid, '${datasource}', panel.title);
      for (const target of panel.targets) assert.equal(target.datasource.uid, '${datasource}', panel.title);
    }
  });
});

describe('metrics', () => {
  it('that alerts and dashboard ask for are those of docs/operations.md', () => {
    const asked = new Set([...rules.map(({ expr }) => expr), ...questions, ...dashboard.templating.list.map((/** @type {any} */ row) => row.query)].flatMap(seriesIn));
    assert.ok(asked.size > 25, 'the expressions have been read');
    assert.deepEqual([...asked].filter((series) => !documented.has(metricOf(series))).sort(), []);
  });
});
