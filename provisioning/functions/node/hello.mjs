/**
 * The Node function that Lockstep measures in every kind of sandbox. It answers GET /hello and
 * tells the device when it is ready.
 */
import { writeSync } from 'node:fs';

writeSync(1, 'lockstep:main\n');
const { createServer, request } = await import('node:http');

const EXIT_USAGE = 2;
const EXIT_NOT_READY = 3;
const EXIT_FAILED = 4;
const READY_DEADLINE_MS = 10_000;
const HELLO = Buffer.from('Hello from node!\n');

const values = parseArguments(process.argv.slice(2));
const listen = splitAddress(values['--listen']);
const server = createServer(answer);
server.on('error', (error) => end(EXIT_FAILED, error.message));
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
server.listen(listen.port, listen.host, () => signalReady(values['--ready'], listen.host));

/** Reads the flags; anything else ends the function. */
function parseArguments(words) {
  const flags = { '--listen': undefined, '--ready': undefined };
  for (let i = 0; i < words.length; i += 2) {
    if (!Object.hasOwn(flags, words[i]) || words[i + 1] === undefined) {
      end(EXIT_USAGE, `unknown flag or missing value: ${words[i]}`);
    }
    flags[words[i]] = words[i + 1];
  }
  if (flags['--ready'] !== undefined && !URL.canParse(flags['--ready'])) {
    end(EXIT_USAGE, `no URL: ${flags['--ready']}`);
  }
  if (flags['--listen'] === undefined || flags['--ready'] === undefined) {
    end(EXIT_USAGE, 'usage: hello.mjs --listen ADDRESS:PORT --ready URL');
  }
  return flags;
}

function splitAddress(text) {
  const parts = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text);
  if (parts === null || parts[1] === '' || Number(parts[2]) > 65_535) {
    end(EXIT_USAGE, `no ADDRESS:PORT: ${text}`);
  }
  return { host: parts[1], port: Number(parts[2]) };
}

function answer(incoming, response) {
  if (incoming.method === 'GET' && incoming.url.split('?', 1)[0] === '/hello') {
    response.writeHead(200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': HELLO.length,
    });
    response.end(HELLO);
    return;
  }
  response.writeHead(404, { 'Content-Length': 0 });
  response.end();
}

/**
 * Calls the ready URL once, from the address that the function listens on: the device knows the
 * instance by it.
 */
function signalReady(url, host) {
  const options = { agent: false, signal: AbortSignal.timeout(READY_DEADLINE_MS) };
  if (host !== '0.0.0.0' && host !== '::') options.localAddress = host;
  const call = request(url, options, (response) => {
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
  setTimeout(() => process.exit(0), 250).unref();
}

function end(code, message) {
  writeSync(2, `function: ${message}\n`);
  process.exit(code);
}
