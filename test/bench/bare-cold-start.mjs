/**
 * The smallest script that times cold starts, for comparison: plain Node, nothing of Lockstep in
 * it. It must be started in a network namespace of its own. Reads one JSON line that says what to
 * start, prepares, answers with a line; then each further line is one cold start, answered by
 * `{"elapsedNs": "..."}`, or by `{"error": "..."}`. It ends with its standard input.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 10_000;
const GATEWAY_MAC = '02:4c:53:00:00:01';

let what;
let server;
let onReady = () => {};

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  let reply;
  try {
    if (what === undefined) {
      what = JSON.parse(line);
      await prepare();
      reply = { isPrepared: true };
    } else {
      reply = { elapsedNs: String(await coldStart()) };
    }
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
// The listener would keep this process alive.
server?.close();

/** Network, listener and bundle: none of it is timed. */
async function prepare() {
  const { slot, container } = what;
  if (readlinkSync('/proc/self/ns/net') === what.hostNetns) throw new Error('host network');
  // What is spawned is then born in the cgroup.
  for (const file of what.joinFiles) writeFileSync(file, String(process.pid));
  writeFileSync(slot.netnsPath, '');
  run('unshare', `--net=${slot.netnsPath}`, 'true');
  const { interfaceName: hub, gatewayAddress, address, macAddress, prefixLength } = slot;
  const ends = `link add ${hub} address ${GATEWAY_MAC} type veth peer eth0 address ${macAddress}`;
  ip(`${ends} netns ${slot.netnsPath}`);
  ip(`link set ${hub} addrgenmode none`);
  ip(`address add ${gatewayAddress}/${prefixLength} dev ${hub}`);
  ip(`link set ${hub} up`);
  ip(`neighbour replace ${address} lladdr ${macAddress} dev ${hub} nud permanent`);
  const inside = (words) => run('nsenter', `--net=${slot.netnsPath}`, 'ip', ...words.split(' '));
  inside('link set lo up');
  inside('link set eth0 addrgenmode none');
  inside(`address add ${address}/${prefixLength} dev eth0`);
  inside('link set eth0 up');
  inside(`neighbour replace ${gatewayAddress} lladdr ${GATEWAY_MAC} dev eth0 nud permanent`);
  inside(`route add default via ${gatewayAddress}`);
  if (container !== undefined) {
    mkdirSync(container.bundle);
    writeFileSync(`${container.bundle}/config.json`, container.config);
  }
  server = createServer({ noDelay: true }, (socket) => {
    onReady();
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(what.readyPort, '0.0.0.0', resolve);
  });
}

async function coldStart() {
  const { slot, command, env, functionPort } = what;
  const words = [`--net=${slot.netnsPath}`, '--', ...command];
  let child;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), TIMEOUT_MS);
  });
  const ready = new Promise((resolve) => {
    onReady = resolve;
  });
  try {
    const startedAtNs = process.hrtime.bigint();
    child = spawn('nsenter', words, { cwd: '/', env, stdio: ['ignore', 'ignore', 'inherit'] });
    const failed = new Promise((_, reject) => child.once('error', reject));
    await Promise.race([ready, failed, late]);
    const target = { host: slot.address, port: functionPort, path: '/hello', agent: false };
    const answeredAtNs = await Promise.race([askForFirstByte(target), late]);
    return answeredAtNs - startedAtNs;
  } finally {
    clearTimeout(timer);
    if (child?.pid !== undefined) await remove(child);
  }
}

function askForFirstByte(target) {
  return new Promise((resolve, reject) => {
    const call = get(target, (response) => {
      const atNs = process.hrtime.bigint();
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve(atNs);
        else reject(new Error(`the function answered ${response.statusCode}`));
      });
    });
    call.once('error', reject);
  });
}

async function remove(child) {
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
    if (child.exitCode !== null || child.signalCode !== null) resolve();
  });
  const { container } = what;
  if (container === undefined) child.kill('SIGKILL');
  await ended;
  if (container !== undefined) run(...container.remove);
}

function ip(words) {
  run('ip', ...words.split(' '));
}

function run(program, ...words) {
  execFileSync(program, words, { timeout: TIMEOUT_MS, stdio: ['ignore', 'ignore', 'inherit'] });
}
