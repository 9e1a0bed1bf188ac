import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LoadGenerator } from '../../../agent/procedures/load-generator.ts';
import type { ClosedLoad, LoadTarget, OpenLoad } from '../../../agent/procedures/load-generator.ts';
import { failuresOf, parseLoadReport } from '../../../agent/procedures/load-report.ts';
import type { LoadReport } from '../../../agent/procedures/load-report.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { goodAnswer, loadServer, unusedAddress } from './load-server.ts';
import type { Answer } from './load-server.ts';

const CHECKOUT = join(import.meta.dirname, '../../..');
const CACHE = process.env['LOCKSTEP_CACHE'] ?? join(CHECKOUT, '.lockstep/cache');

async function programFolder(): Promise<string | undefined> {
  const cache = new ArtefactCache(CACHE);
  const digest = (await cache.names())['load-generator'];
  return digest === undefined ? undefined : cache.assemble(digest);
}

/** A test that is skipped where the load generator is not built. */
function withGenerator(
  title: string,
  run: (t: ExecutionContext, generator: LoadGenerator, program: string) => Promise<void>,
): void {
  test.serial(`load generator ${title}`, async (t) => {
    const folder = await programFolder();
    if (folder === undefined) {
      t.log('skipped: it is not built; npm run setup');
      t.pass();
      return;
    }
    await run(t, new LoadGenerator(folder), join(folder, 'load-generator'));
  });
}

const UNTIL_DONE = new AbortController().signal;

function target(address: string, changes: Partial<LoadTarget> = {}): LoadTarget {
  const times = { timeoutMs: 10_000, deadlineMs: 30_000 };
  return { addresses: [address], path: '/hello', expectBytes: 5, ...times, ...changes };
}

function closed(connections: number, requests: number): ClosedLoad {
  return { mode: 'closed', connections, requests, durationMs: 20_000 };
}

const OPEN: OpenLoad = {
  mode: 'open',
  ratePerSecond: 500,
  arrivals: 'even',
  seed: 1,
  connectionsMax: 512,
  durationMs: 800,
};

function quantile(report: LoadReport, share: number): number {
  return report.latency?.quantiles.find((one) => one.quantile === share)?.ns ?? Number.NaN;
}

function writeInTurn(socket: Socket, [piece = '', ...rest]: readonly string[]): void {
  socket.write(piece);
  if (rest.length > 0) setTimeout(writeInTurn, 1, socket, rest);
}

withGenerator('makes just as many requests as it was asked for', async (t, generator) => {
  for (const [connections, requests] of [
    [1, 50],
    [16, 7],
    [64, 1000],
    [1024, 2048],
  ] as const) {
    const server = await loadServer(t, (socket) => socket.write(goodAnswer()));
    const load = closed(connections, requests);
    const report = await generator.run(load, target(server.address), UNTIL_DONE);
    t.is(report.ended, 'complete');
    t.like(report.requests, { attempted: requests, answered: requests, failed: 0, unfinished: 0 });
    t.is(server.requests(), requests);
    t.is(report.body.bytes, requests * 5);
    t.is(report.latency?.count, requests);
    t.is(report.connections.opened, Math.min(connections, requests));
    t.true(report.elapsedNs > 0);
  }
});

withGenerator('reads answers in every form', async (t, generator) => {
  const forms: Record<string, Answer> = {
    'in pieces': (socket) => {
      writeInTurn(socket, goodAnswer().match(/.{1,9}/gs)!);
    },
    chunked: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
      setTimeout(() => socket.write('3\r\ncde\r\n0\r\n\r\n'), 2);
    },
    'with an end': (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'),
    'with an end that is announced': (socket) =>
      socket.end(goodAnswer().replace('\r\n', '\r\nConnection: close\r\n')),
  };
  for (const [form, answer] of Object.entries(forms)) {
    const server = await loadServer(t, answer);
    const report = await generator.run(closed(4, 40), target(server.address), UNTIL_DONE);
    t.like(report.requests, { answered: 40, failed: 0 }, form);
    t.is(report.connections.opened, form.includes('end') ? 40 : 4, form);
  }
});

const FAILURES: Record<string, Answer> = {
  reset: (socket) => socket.resetAndDestroy(),
  closed: (socket) => socket.destroy(),
  'short-body': (socket) => socket.end(goodAnswer().slice(0, -2)),
  'wrong-status': (socket) => socket.write(goodAnswer().replace('200 OK', '503 Busy')),
  'wrong-size': (socket) => socket.write(goodAnswer(6)),
  malformed: (socket) => socket.write('hello\r\n\r\n'),
  timeout: () => undefined,
};

withGenerator(
  'tells the classes of failures apart, and the first of them',
  async (t, generator) => {
    for (const [name, answer] of Object.entries(FAILURES)) {
      // Every third request fails.
      const server = await loadServer(t, (socket, count) => {
        if (count % 3 === 0) answer(socket, count);
        else socket.write(goodAnswer());
      });
      const aimed = target(server.address, name === 'timeout' ? { timeoutMs: 150 } : {});
      const report = await generator.run(closed(2, 12), aimed, UNTIL_DONE);
      t.deepEqual(report.failures.byClass, { [name]: 4 }, name);
      t.like(report.requests, { attempted: 12, answered: 8, failed: 4 }, name);
      t.is(report.failures.first?.class, name);
      t.not(report.failures.first?.text, '');
      t.is(report.latency?.count, 8, 'failures are no latencies');
    }
  },
);

withGenerator('counts refused connections without asking a million times', async (t, generator) => {
  const load: ClosedLoad = { mode: 'closed', connections: 3, durationMs: 400 };
  const report = await generator.run(load, target(await unusedAddress()), UNTIL_DONE);
  t.is(report.ended, 'complete');
  t.deepEqual(Object.keys(report.failures.byClass), ['connect-refused']);
  t.true(failuresOf(report) >= 3 && failuresOf(report) < 200, `${failuresOf(report)} failures`);
  t.is(report.latency, null);
});

withGenerator('ends by its deadline though nothing is answered', async (t, generator) => {
  const server = await loadServer(t, () => undefined);
  const aimed = target(server.address, { timeoutMs: 60_000, deadlineMs: 400 });
  for (const load of [closed(32, 100), { ...OPEN, connectionsMax: 32 }]) {
    const report = await generator.run(load, aimed, UNTIL_DONE);
    t.true(failuresOf(report) >= 32);
    t.is(report.requests.answered, 0);
  }
});

withGenerator('sees with an open loop what a closed loop omits', async (t, generator) => {
  // All answers that are due within 200 ms wait for their end, once.
  const stalling = (): Answer => {
    let beganMs: number | undefined;
    return (socket) => {
      const now = performance.now();
      beganMs ??= now;
      const leftMs = now - beganMs > 300 ? 500 - (now - beganMs) : 0;
      if (leftMs > 0) setTimeout(() => socket.write(goodAnswer()), leftMs);
      else socket.write(goodAnswer());
    };
  };
  const one: ClosedLoad = { mode: 'closed', connections: 1, durationMs: OPEN.durationMs };
  const unaware = await loadServer(t, stalling());
  const omitting = await generator.run(one, target(unaware.address), UNTIL_DONE);
  const server = await loadServer(t, stalling());
  const seeing = await generator.run(OPEN, target(server.address), UNTIL_DONE);
  t.log(`p99: closed ${quantile(omitting, 0.99)} ns, open ${quantile(seeing, 0.99)} ns`);
  t.is(failuresOf(omitting) + failuresOf(seeing), 0);
  t.true(quantile(seeing, 0.99) > 100e6, 'a quarter of the instants was within the stall');
  t.true(quantile(omitting, 0.99) < quantile(seeing, 0.99) / 2);
  t.true(quantile(omitting, 1) > 100e6, 'the one request within the stall');
});

withGenerator('keeps to its bound of connections, and to its schedule', async (t, generator) => {
  const server = await loadServer(t, (socket) => {
    setTimeout(() => socket.write(goodAnswer()), 60);
  });
  const few = { ...OPEN, connectionsMax: 3, ratePerSecond: 400, durationMs: 250 };
  const report = await generator.run(few, target(server.address), UNTIL_DONE);
  const { planned, attempted, answered, notSent, failed } = report.requests;
  t.is(planned, 100);
  t.is(attempted + notSent, planned);
  t.is(answered + failed, attempted);
  t.true(notSent > 0);
  t.true(report.connections.mostOpen <= 3);
  t.is(report.lateness?.count, attempted);

  const poisson = { ...OPEN, arrivals: 'poisson' } as const;
  const plans = [];
  for (const seed of [1, 1, 2]) {
    const run = await generator.run(
      { ...poisson, seed, durationMs: 100, ratePerSecond: 5000 },
      target(server.address),
      UNTIL_DONE,
    );
    plans.push(run.requests.planned);
  }
  t.is(plans[0], plans[1], 'the same seed');
  t.not(plans[0], plans[2], 'another seed');
});

withGenerator('says what there is when it is asked to end', async (t, _generator, program) => {
  const server = await loadServer(t, (socket) => socket.write(goodAnswer()));
  const words = ['closed', '--target', server.address, '--connections', '2'];
  const child = spawn(program, [...words, '--duration-ms', '60000']);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  while (server.requests() < 100) await delay(5);
  child.kill('SIGTERM');
  await once(child, 'close');
  const report = parseLoadReport(output);
  t.is(report.ended, 'signal');
  t.true(report.requests.answered >= 98);
  t.true(report.elapsedNs < 60e9);
});

withGenerator('is ended when the trial is stood down', async (t, generator) => {
  const server = await loadServer(t, (socket) => socket.write(goodAnswer()));
  const abort = new AbortController();
  const load: ClosedLoad = { mode: 'closed', connections: 2, durationMs: 60_000 };
  const run = generator.run(load, target(server.address), abort.signal);
  while (server.requests() < 10) await delay(5);
  abort.abort();
  t.is((await t.throwsAsync<LockstepError>(run)).code, 'CANCELLED');
  const before = server.requests();
  await delay(50);
  t.is(server.requests(), before);
});

withGenerator('gets large bodies from its null server', async (t, generator) => {
  for (const bodyBytes of [0, 15, 70_000, 3_000_001]) {
    const server = await generator.serveNull({
      ...{ address: '127.0.0.1', port: 0, bodyBytes, deadlineMs: 20_000 },
    });
    t.teardown(() => server.close());
    const aimed = target(server.address, { expectBytes: bodyBytes });
    const report = await generator.run(closed(8, 40), aimed, UNTIL_DONE);
    t.like(report.requests, { answered: 40, failed: 0 });
    t.is(report.body.bytes, 40 * bodyBytes);
    await server.close();
    const after = await generator.run(closed(1, 1), aimed, UNTIL_DONE);
    t.deepEqual(after.failures.byClass, { 'connect-refused': 1 });
  }
});

withGenerator('refuses what it can not do', async (t, generator, program) => {
  const mistakes = [
    ['closed', '--target', '127.0.0.1:1'],
    ['closed', '--target', 'localhost:1', '--requests', '1'],
    ['closed', '--target', '127.0.0.1:1', '--requests', '1', '--connections', '0'],
    ['closed', '--target', '127.0.0.1:1', '--requests', '1', '--path', 'x y'],
    ['open', '--target', '127.0.0.1:1', '--duration-ms', '10', '--rate', '-1'],
    ['open', '--target', '127.0.0.1:1', '--duration-ms', '10', '--rate', 'NaN'],
    ['null', '--listen', ''],
    ['other'],
  ];
  for (const words of mistakes) {
    const code = await new Promise((resolve) => {
      execFile(program, words, (error) => {
        resolve(error?.code);
      });
    });
    t.is(code, 2, words.join(' '));
  }
  const none = new LoadGenerator('/nonexistent');
  await t.throwsAsync(none.run(closed(1, 1), target('127.0.0.1:1'), UNTIL_DONE), {
    instanceOf: LockstepError,
  });
  t.throws(() => LoadGenerator.among({}), { message: /was not prepared/ });
  t.true(generator instanceof LoadGenerator);
});

test('parseLoadReport rejects what is no report', (t) => {
  for (const text of ['', '{}', '{"version":2}', '[]']) {
    t.throws(() => parseLoadReport(text), { message: /printed no report/ });
  }
});
