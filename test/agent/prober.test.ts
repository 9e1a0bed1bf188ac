import test from 'ava';
import { pino } from 'pino';
import { Prober } from '../../agent/prober.ts';

function prober(): Prober {
  return new Prober({
    cgroupName: 'none',
    artefacts: { equipFromNames: () => Promise.reject(new Error('the store is away')) },
    runner: {
      scratchFolder: '/nowhere',
      isolation: 'user',
      realTime: [],
      logger: pino({ level: 'silent' }),
    },
    offered: ['process', 'runc'],
  });
}

test('what an agent does not offer is not tried, and what it does not know is left out', async (t) => {
  const found = await prober().probe(['crun', 'of-a-later-release'], AbortSignal.timeout(1000));
  t.is(found.length, 1);
  const [crun] = found;
  t.like(crun, { available: false, name: 'crun', failure: { code: 'SANDBOX_UNAVAILABLE' } });
});

test('whatever keeps a probe from being made is the answer for each kind', async (t) => {
  const found = await prober().probe(['process', 'crun', 'runc'], AbortSignal.timeout(1000));
  t.deepEqual(
    found.map((one) => [one.name, one.available, 'failure' in one && one.failure.message]),
    [
      ['process', false, 'the store is away'],
      ['runc', false, 'the store is away'],
      ['crun', false, 'the agent of this device does not offer crun'],
    ],
  );
});
