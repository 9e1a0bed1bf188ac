/** Takes samples as a peer does, and tells what they cost: `main.ts JSON`, see ../peers.ts. */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import si from 'systeminformation';
import { readChildrenCpuNs, readCpuNs } from '../process-cpu.ts';
import { PeerOrder } from '../peer-order.ts';

const { kind, url, socketPath, serverPids, samples, periodMs, warmUp } = PeerOrder.parse(
  JSON.parse(process.argv[2] ?? ''),
);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function askSystemInformation(): Promise<void> {
  await si.currentLoad();
  await si.mem();
  await si.disksIO();
  await si.networkStats();
}

/** Only fetches the text: finding the numbers in it would cost the peer more. */
async function askServer(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { agent, timeout: 10_000, ...(socketPath === undefined ? {} : { socketPath }) };
    const request = get(url ?? '', options, (answer) => {
      answer.resume().once('end', () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`${url ?? ''} answered ${answer.statusCode ?? '?'}`));
      });
    });
    request.once('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.once('error', reject);
  });
}

const take = kind === 'systeminformation' ? askSystemInformation : askServer;

async function takeAll(count: number): Promise<void> {
  const startMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    await delay(Math.max(0, startMs + index * periodMs - performance.now()));
    await take();
  }
  // The last one stands for its period, too.
  await delay(Math.max(0, startMs + count * periodMs - performance.now()));
}

const readNs = (): { own: number; server: number } => ({
  own: readCpuNs(process.pid) + readChildrenCpuNs(process.pid),
  server: readCpuNs(...serverPids),
});
await takeAll(warmUp);
const before = readNs();
const startMs = performance.now();
await takeAll(samples);
const seconds = (performance.now() - startMs) / 1e3;
const after = readNs();
const clientCpuNs = after.own - before.own;
const serverCpuNs = after.server - before.server;
console.log(JSON.stringify({ samples, seconds, clientCpuNs, serverCpuNs }));
agent.destroy();
