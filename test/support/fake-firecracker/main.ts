import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createApi } from './api-server.ts';
import { BODIES, bodyMistake } from './fields.ts';
import { FakeMachine } from './machine.ts';
import type { FakeOptions } from './options.ts';
import { FAKE_VERSION } from './options.ts';
import { Refusal } from './refusal.ts';

// A program with Firecracker's command line, API and exit codes, and no virtual machine: what is to
// boot runs as a process behind the tap device. Its first argument says how it is to behave. Not
// part of the product.

const VALUE_WORDS = ['--api-sock', '--id', '--config-file', '--log-path', '--level', '--module']
  .concat(['--metrics-path', '--metadata', '--seccomp-filter', '--start-time-us'])
  .concat(['--start-time-cpu-us', '--parent-cpu-time-us', '--http-api-max-payload-size']);
const FLAG_WORDS = [
  '--no-api',
  '--boot-timer',
  '--enable-pci',
  '--no-seccomp',
  '--show-level',
].concat(['--show-log-origin', '--version', '--help']);
const LEVELS = ['error', 'warning', 'warn', 'info', 'debug', 'trace', 'off'];
const EXIT = { generic: 1, badConfiguration: 152, badArguments: 153 };
const ANSWER_GRACE_MS = 50;
const GUEST_END_MS = 200;

const options = JSON.parse(process.argv[2] ?? '{}') as FakeOptions;
const root = process.env['FAKE_FIRECRACKER_ROOT'] ?? '';

function note(entry: Record<string, unknown>): void {
  appendFileSync(options.journal, `${JSON.stringify({ processId: process.pid, ...entry })}\n`);
}

function end(exitCode: number, message: string): never {
  process.stderr.write(`Error: ${message}\n`);
  machine.end();
  process.exit(exitCode);
}

function parseArguments(words: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (values.has(word)) end(EXIT.badArguments, `The argument '${word}' was used more than once`);
    if (FLAG_WORDS.includes(word)) values.set(word, '');
    else if (VALUE_WORDS.includes(word) && words[index + 1] !== undefined) {
      values.set(word, words[(index += 1)] ?? '');
    } else end(EXIT.badArguments, `Arguments parsing error: Found argument '${word}'`);
  }
  return values;
}

function start(file: string): void {
  const configuration = JSON.parse(readFileSync(`${root}${file}`, 'utf8')) as object;
  for (const [key, value] of Object.entries(configuration)) {
    const fields = BODIES[`PUT ${key}`];
    const all = Array.isArray(value) ? (value as unknown[]) : [value];
    const mistake = fields === undefined ? `unknown field \`${key}\`` : undefined;
    const wrong = mistake ?? all.map((one) => bodyMistake(fields!, one)).find((text) => text);
    if (wrong !== undefined) end(EXIT.badConfiguration, `Configuration file: ${wrong}`);
  }
  if (options.fault?.kind === 'no-kvm') {
    end(EXIT.badConfiguration, 'Start microvm error: Kvm error: the processor is not virtual');
  }
  try {
    machine.configure(configuration as Record<string, unknown>);
  } catch (error) {
    if (error instanceof Refusal) end(EXIT.badConfiguration, error.message);
    throw error;
  }
}

async function listen(socketFile: string, id: string): Promise<void> {
  const { fault } = options;
  if (fault?.kind === 'no-socket') return;
  if (fault?.kind === 'late-socket') await delay(fault.ms);
  if (existsSync(socketFile)) end(EXIT.generic, `FailedToBindSocket("${socketFile}")`);
  const server = createApi({
    ...{ id, machine, note },
    ...(fault === undefined ? {} : { fault }),
    end: (exitCode, message) => {
      // What was answered must have left first.
      setTimeout(() => end(exitCode, message), exitCode === EXIT.generic ? ANSWER_GRACE_MS : 0);
    },
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(socketFile, resolve));
}

let isEnding = false;
const machine = new FakeMachine(root, options.guestProgram, {
  onGuestEnd: (how) => {
    if (isEnding) return;
    note({ guest: how });
    // There is no way for a guest to switch it off but the reset that a panic comes to.
    if (how === 'halted') process.stdout.write('[    1.000000] reboot: System halted\n');
    else process.exit(0);
  },
});
process.once('SIGTERM', () => {
  isEnding = true;
  machine.end();
  // The processes that stand for its guest must be gone before it is, as a real guest would.
  setTimeout(() => process.kill(process.pid, 'SIGTERM'), GUEST_END_MS);
});

const values = parseArguments(process.argv.slice(3));
if (values.has('--version')) {
  process.stdout.write(`Firecracker v${FAKE_VERSION}\n\n`);
  process.exit(0);
}
note({ words: process.argv.slice(3), user: process.getuid?.() });
const id = values.get('--id') ?? 'anonymous-instance';
if (!/^[\dA-Za-z-]{1,64}$/.test(id)) end(EXIT.generic, 'Invalid instance ID');
if (!LEVELS.includes((values.get('--level') ?? 'info').toLowerCase())) {
  end(EXIT.badArguments, 'Invalid log level');
}
if (values.has('--no-api') && !values.has('--config-file')) {
  end(EXIT.badArguments, "The argument '--no-api' requires '--config-file'");
}
const metricsPath = values.get('--metrics-path');
if (metricsPath !== undefined) machine.setMetrics(metricsPath);
if (!values.has('--no-api')) {
  await listen(`${root}${values.get('--api-sock') ?? '/run/firecracker.socket'}`, id);
}
const configFile = values.get('--config-file');
if (configFile !== undefined) start(configFile);
if (options.fault?.kind === 'crash-running') {
  const { exitCode, ms } = options.fault;
  setTimeout(() => end(exitCode, 'Firecracker exiting with error'), ms);
}
// A VMM lives until it is ended.
setInterval(() => undefined, 60_000);
