// What /metrics says, read by a parser that is not ours: the npm package parse-prometheus-text-format, a port of
// Prometheus' own for Python.
import assert from 'node:assert/strict';
import parse from 'parse-prometheus-text-format';

/** A sample's name as it stands in the text, its labels in that order. @param {string} name @param {Record<string, string>} [labels] */
const nameOf = (name, labels = {}) => {
  const list = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return list.length > 0 ? `${name}{${list.join(',')}}` : name;
};

export class Metrics {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    /** @type {Map<string, { type: string, help: string }>} */
    this.families = new Map();
    /** Samples by name and labels; of a histogram its buckets, sum and count. @type {Map<string, number>} */
    this.samples = new Map();
    for (const { name, type, help, metrics } of parse(text)) {
      assert.ok(!this.families.has(name), `${name} comes once`);
      this.families.set(name, { type: type.toLowerCase(), help });
      for (const { labels, value, buckets, sum, count } of metrics) {
        if (type !== 'HISTOGRAM') {
          this.#add(nameOf(name, labels), value);
          continue;
        }
        for (const [le, number] of Object.entries(buckets)) this.#add(nameOf(`${name}_bucket`, { ...labels, le }), number);
        this.#add(nameOf(`${name}_sum`, labels), sum);
        this.#add(nameOf(`${name}_count`, labels), count);
      }
    }
  }

  /** @param {string} sample @param {string} value */
  #add(sample, value) {
    assert.ok(!this.samples.has(sample), `${sample} comes once`);
    assert.match(value, /^\d+(\.\d+)?$/, sample);
    this.samples.set(sample, Number(value));
  }

  /** @param {string} sample  for instance aloha_errors_sent_total{code="hub-full"} */
  value(sample) {
    const value = this.samples.get(sample);
    assert.ok(value !== undefined, `${sample} is among the metrics`);
    return value;
  }

  /** The names of all samples of counters, and of histograms' buckets, sums and counts: they never go down. */
  get rising() {
    return [...this.samples.keys()].filter((sample) => {
      const name = sample.replace(/\{.*/, '');
      const type = (this.families.get(name) ?? this.families.get(name.replace(/_(bucket|sum|count)$/, '')))?.type;
      return type === 'counter' || type === 'histogram';
    });
  }
}

/** @param {{ opsPort?: number }} server */
export async function metricsOf(server) {
  const response = await fetch(`http://127.0.0.1:${server.opsPort}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return new Metrics(await response.text());
}

/**
 * Asks again until they are so: what a socket has done is seen by the server a moment later.
 * @param {{ opsPort?: number }} server
 * @param {Record<string, number>} wanted  samples and their values
 * @param {number} [ms]
 */
export async function metricsBecome(server, wanted, ms = 30_000) {
  const end = Date.now() + ms;
  for (;;) {
    const metrics = await metricsOf(server);
    const got = Object.fromEntries(Object.keys(wanted).map((sample) => [sample, metrics.value(sample)]));
    if (Object.entries(wanted).every(([sample, value]) => got[sample] === value)) return metrics;
    if (Date.now() > end) assert.deepEqual(got, wanted);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
