/**
 * The process that a WebAssembly function lives in: it gives the function clock, output and one
 * folder by WASI, listens for it, tells the device when it is ready, and hands it each request.
 * What both agree on stands in provisioning/functions/wasm/hello.c. JavaScript and nothing but
 * Node's own modules, for its start is part of what is measured.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { WASI } from 'node:wasi';

const { WebAssembly } = globalThis;
const EXIT_USAGE = 2;
const EXIT_NOT_READY = 3;
const EXIT_FAILED = 4;
const READY_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 250;
const NAMES = ['--module', '--tmp', '--listen', '--ready'];

process.on('uncaughtException', (error) => end(EXIT_FAILED, error.message));
const values = parseArguments(process.argv.slice(2));
const [, host, port] = /^(.+):(\d+)$/.exec(values['--listen']) ?? end(EXIT_USAGE, 'no address');
const fn = await instantiate(values['--module'], values['--tmp']);
fn.start();
const server = createServer(answer);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
server.listen(Number(port), host, () => signalReady(values['--ready'], host));

/** Reads the flags; all are needed, anything else ends the function. */
function parseArguments(words) {
  const flags = {};
  for (let i = 0; i < words.length; i += 2) {
    if (!NAMES.includes(words[i]) || words[i + 1] === undefined) {
      end(EXIT_USAGE, `unknown flag or missing value: ${words[i]}`);
    }
    flags[words[i]] = words[i + 1];
  }
  for (const name of NAMES) if (flags[name] === undefined) end(EXIT_USAGE, `${name} is missing`);
  return flags;
}

/** Makes an instance of the module; its own folder /tmp is all that it can open. */
async function instantiate(path, folder) {
  const wasi = new WASI({ version: 'preview1', preopens: { '/tmp': folder }, returnOnExit: true });
  const module = await WebAssembly.compile(readFileSync(path));
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  wasi.initialize(instance);
  return instance.exports;
}

function answer(incoming, response) {
  const question = Buffer.from(incoming.url, 'latin1');
  if (incoming.method !== 'GET' || question.length >= fn.question_size()) {
    response.writeHead(404, { 'Content-Length': 0 }).end();
    return;
  }
  // Anew each time: memory that grew is another buffer.
  new Uint8Array(fn.memory.buffer, fn.question(), question.length).set(question);
  const status = fn.answer(question.length);
  const memory = new Uint8Array(fn.memory.buffer);
  const from = fn.text();
  const text = Buffer.from(memory.slice(from, memory.indexOf(0, from)));
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length };
  const durationNs = fn.duration_ns();
  if (durationNs >= 0n) headers['Lockstep-Duration-Ns'] = String(durationNs);
  response.writeHead(status, headers).end(text);
}

/** Calls the ready URL once, from the address that the device knows the instance by. */
function signalReady(url, localAddress) {
  const signal = AbortSignal.timeout(READY_DEADLINE_MS);
  const call = request(url, { agent: false, localAddress, signal }, (response) => {
    response.resume();
    if (response.statusCode < 200 || response.statusCode > 299) {
      end(EXIT_NOT_READY, `the ready call failed: ${url} answered ${response.statusCode}`);
    }
  });
  call.on('error', (error) => end(EXIT_NOT_READY, `the ready call failed: ${error.message}`));
  call.end();
}

function stop() {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), STOP_DEADLINE_MS).unref();
}

function end(code, message) {
  writeSync(2, `function: ${message}\n`);
  process.exit(code);
}
