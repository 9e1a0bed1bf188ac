import test from 'ava';
import { measureCeilings } from './load.ts';

test('load measures the generator over loopback and over veth', async (t) => {
  const plan = { connections: [4], durationMs: 150, runs: 1 };
  const { columns, rows, notes } = await measureCeilings(
    {
      log: (line) => {
        t.log(line);
      },
    },
    plan,
  );
  const reason = notes.find((note) => note.startsWith('nothing was measured'));
  if (reason !== undefined) {
    t.log(`skipped: ${reason}`);
    t.is(rows.length, 0);
    return;
  }
  const value = (row: (typeof rows)[number], name: string) => row[columns.indexOf(name)];
  for (const path of ['loopback', 'veth']) {
    const row = rows.find(
      (one) => value(one, 'path') === path && value(one, 'tool') === 'load-generator',
    );
    t.true(Number(value(row!, 'requestsPerSecond')) > 0);
    t.true(Number(value(row!, 'cpuUsPerRequest')) > 0);
    t.true(Number(value(row!, 'p99Us')) >= Number(value(row!, 'p50Us')));
  }
});
