// Loads aloha's hub and its rivals in turns and prints what it found. Started by scripts/bench, which builds
// and installs what this needs; see its --help and README.md beside this file.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { benchTool, pinned, processors, servers, startServer } from './servers.mjs';
import { median, number, reportPlainly, table } from './table.mjs';

const TIME_LIMIT_MS = 300_000;
/** For workloads with more connections than aloha takes by default. */
const MANY_CONNECTIONS = 19_000;
/** A server that does less than this of its processor's time waits for its load. */
const BUSY = 0.9;

/**
 * What can be measured: the arguments of loadgen, what it counts, and the column of the third figure.
 * alone: the server is started afresh and has nothing else to do; without: servers that cannot.
 */
const workloads = {
  'relay-200': { title: 'Relay, 200 B, one message of each side on its way', args: ['relay'], thing: 'relays', time: 'p99_us' },
  'relay-4096': {
    title: 'Relay, 4 KiB, one message of each side on its way',
    args: ['relay', '--payload', '4096'],
    thing: 'relays',
    time: 'p99_us',
  },
  'burst-200': {
    title: 'Relay, 200 B, 8 messages of each side on their way',
    args: ['relay', '--outstanding', '8'],
    thing: 'relays',
    time: 'p99_us',
  },
  paced: { title: 'Round trip at a steady rate, 200 B', args: ['paced'], thing: 'relays', time: 'p99_us', quantiles: true },
  churn: {
    title: 'Connect, join, leave; 64 at a time',
    args: ['churn', '--rooms', '64'],
    thing: 'cycles',
    without: ['tcp'],
  },
  fanout: {
    title: 'Announcements in rooms of 50',
    args: ['fanout', '--rooms', '40', '--room-size', '50'],
    thing: 'deliveries',
    without: ['tcp', 'peerjs'],
  },
  idle: { title: 'Memory of idle joined connections', args: ['idle'], without: ['tcp'], alone: true },
};
for (const rooms of [10, 100, 1000, 9000]) {
  workloads[`growth-${rooms}`] = {
    title: `Relay, 200 B, ${rooms.toLocaleString('en')} rooms`,
    args: ['relay', '--rooms', String(rooms)],
    thing: 'relays',
    time: 'p99_us',
  };
}

const all = Object.keys(servers).filter((name) => name !== 'go');
/** The commands of scripts/bench: which workloads, on which servers. */
const commands = {
  hub: { workloads: ['relay-200', 'relay-4096', 'burst-200'], servers: all },
  load: { workloads: ['paced'], servers: all },
  churn: { workloads: ['churn'], servers: all },
  fanout: { workloads: ['fanout'], servers: all },
  idle: { workloads: ['idle'], servers: all, rounds: 1, connections: MANY_CONNECTIONS },
  growth: { workloads: Object.keys(workloads).filter((name) => name.startsWith('growth-')), servers: ['aloha', 'tcp'], rounds: 3, connections: MANY_CONNECTIONS },
  duel: { workloads: ['relay-200', 'relay-4096'], servers: all },
  short: { workloads: ['relay-200', 'relay-4096', 'burst-200', 'churn'], servers: ['aloha', 'tcp', 'seed'], rounds: 3, seconds: 1 },
};

let faults = 0;
const samples = [];

/** Runs loadgen once against a server; a line of JSON comes back even when messages were lost. */
function load(server, workload, options) {
  const args = [...workload.args, '--dialect', server.dialect, '--port', String(server.port),
    '--server-pid', String(server.pid), '--seconds', options.seconds];
  if (workload === workloads.paced) args.push('--rate', options.rate);
  if (workload === workloads.idle) args.push('--rooms', String(Math.ceil(Number(options.connections) / 2)));
  const [program, ...rest] = pinned([benchTool('loadgen'), ...args], 1);
  return new Promise((resolve, reject) => {
    execFile(program, rest, { timeout: TIME_LIMIT_MS }, (error, stdout, stderr) => {
      let figures;
      try {
        figures = JSON.parse(stdout);
      } catch {
        reject(new Error(`loadgen said nothing of ${server.name}: ${error?.message ?? ''} ${stderr}`));
        return;
      }
      if (error) {
        faults++;
        console.error(`${server.name}: NOT ALL WAS DELIVERED: ${stdout.trim()} ${stderr.trim()}`);
      }
      resolve(figures);
    });
  });
}

async function sample(round, name, server, options) {
  const figures = await load(server, workloads[name], options);
  samples.push({ round, workload: name, server: server.name, ...figures });
}

const of = (workload, server, member) =>
  samples.filter((s) => s.workload === workload && s.server === server).map((s) => s[member]);

/** The median over all rounds of how many times better a server was than another in the same round. */
function ratio(workload, server, other, member, smallerIsBetter = false) {
  const mine = of(workload, server, member);
  const theirs = of(workload, other, member);
  return median(mine.map((value, i) => (smallerIsBetter ? theirs[i] / value : value / theirs[i])));
}

function printWork(name, names) {
  const { thing, time, quantiles } = workloads[name];
  const rate = `${thing}_per_s`;
  const peers = ['seed', 'tcp'].filter((peer) => names.includes(peer));
  const times = quantiles ? ['p50_us', 'p99_us', 'p999_us'] : time ? [time] : [];
  const rows = names.map((server) => {
    const value = (member) => median(of(name, server, member));
    const waited = name !== 'paced' && value('server_busy') < BUSY;
    return [
      servers[server].title, number(value(rate)) + (waited ? ' *' : ''), number(value('cpu_us_each')), number(value('server_busy') * 100),
      ...times.map((member) => number(value(member))),
      ...peers.flatMap((peer) => [ratio(name, server, peer, rate), ratio(name, server, peer, 'cpu_us_each', true)].map(number)),
    ];
  });
  const labels = { p50_us: 'p50 µs', p99_us: 'p99 µs', p999_us: 'p99.9 µs' };
  const head = ['server', `${thing}/s`, 'CPU µs each', 'busy %', ...times.map((member) => labels[member]),
    ...peers.flatMap((peer) => [`× ${peer}, rate`, `× ${peer}, CPU`])];
  console.log(table([head, ...rows]));
  if (rows.some((row) => row[1].endsWith('*'))) console.log('* the server waited for its load: it could do more, and each costs more in small batches');
}

function printIdle(name, names) {
  const rows = names.map((server) => [
    servers[server].title,
    ...['rss_start_kib', 'connections', 'rss_few_kib', 'rss_half_kib', 'rss_all_kib', 'rss_kib_each']
      .map((member) => number(median(of(name, server, member)))),
  ]);
  console.log(table([['server', 'KiB at start', 'connections', 'KiB with 64', 'with half', 'with all', 'KiB each'], ...rows]));
}

/** Both at the same time on one processor: what disturbs one disturbs the other. */
function printDuel(name, names) {
  const rows = names.filter((server) => server !== 'aloha').map((server) => {
    const pairs = samples.filter((s) => s.workload === name && s.rival === server);
    const mine = pairs.map((s) => s.aloha.cpu_us_each);
    const theirs = pairs.map((s) => s.other.cpu_us_each);
    return [servers[server].title, number(median(mine)), number(median(theirs)), number(median(mine.map((value, i) => theirs[i] / value)))];
  });
  console.log(table([['loaded beside aloha', 'aloha, CPU µs each', 'it, CPU µs each', 'ratio'], ...rows]));
}

async function duel(round, name, running, options) {
  const [aloha, ...others] = running;
  for (const other of others) {
    const [mine, theirs] = await Promise.all([aloha, other].map((server) => load(server, workloads[name], options)));
    samples.push({ round, workload: name, rival: other.name, aloha: mine, other: theirs });
  }
}

async function measure(command, names, rounds, options) {
  const isDuel = command === commands.duel;
  const shared = command.workloads.some((name) => !workloads[name].alone);
  const running = shared ? await Promise.all(names.map((name) => startServer(name, command))) : [];
  try {
    for (let round = 1; round <= rounds; round++) {
      if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${rounds}\r`);
      for (const workload of command.workloads) {
        if (isDuel) {
          await duel(round, workload, running, options);
          continue;
        }
        for (const name of names.filter((n) => !workloads[workload].without?.includes(n))) {
          const fresh = workloads[workload].alone ? await startServer(name, command) : undefined;
          await sample(round, workload, fresh ?? running.find((server) => server.name === name), options);
          await fresh?.stop();
        }
      }
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()));
  }
}

function print(command, names, rounds) {
  for (const workload of command.workloads) {
    const who = names.filter((name) => !workloads[workload].without?.includes(name));
    console.log(`\n${workloads[workload].title} (median of ${rounds})`);
    if (command === commands.duel) printDuel(workload, who);
    else if (workload === 'idle') printIdle(workload, who);
    else printWork(workload, who);
  }
}

reportPlainly();
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    servers: { type: 'string' },
    rate: { type: 'string', default: '10000' },
    connections: { type: 'string', default: '10000' },
    json: { type: 'string' },
  },
});
const command = commands[positionals[0]];
if (!command) throw new Error(`no such command: ${positionals[0]}`);
const names = options.servers?.split(',') ?? command.servers;
const unknown = names.find((name) => !servers[name]);
if (unknown) throw new Error(`no such server: ${unknown}; there are ${Object.keys(servers).join(', ')}`);
if (command === commands.duel && names[0] !== 'aloha') names.unshift('aloha');
const rounds = Number(options.rounds ?? command.rounds ?? 5);
const settings = { ...options, seconds: options.seconds ?? String(command.seconds ?? 2) };

console.log(`load average ${loadavg().map((value) => value.toFixed(2)).join(' ')} before; ` +
  (processors().length > 1 ? 'servers share one processor in turns, the generator has another' : 'ONE PROCESSOR: server and generator share it'));
await measure(command, names, rounds, settings);
print(command, names, rounds);
console.log(`\nload average ${loadavg()[0].toFixed(2)} after. Compare figures of one run only; of a busy machine, those of the CPU.`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(samples, null, 1)}\n`);
if (faults > 0) {
  console.error(`${faults} of ${samples.length} runs lost, doubled, reordered or changed messages`);
  process.exitCode = 1;
}
