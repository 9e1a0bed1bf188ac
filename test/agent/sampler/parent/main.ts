/** An agent with a sampler that samples, and does nothing else; tells the sampler's id. */
import { join } from 'node:path';
import { pino } from 'pino';
import { SamplerClient } from '../../../../agent/sampler/client.ts';

const sampler = await SamplerClient.start({
  logger: pino({ level: 'silent' }),
  entry: join(import.meta.dirname, '../scripted/main.ts'),
});
const trial = { runId: 'r', trialId: 't', attempt: 1, deviceId: 'd' };
await sampler.open({ trial, rateHz: 100, sandboxes: [] });
await sampler.begin();
process.stdout.write(String(sampler.processId));
// Ends when its test does, if the test did not end it.
process.stdin.resume().once('end', () => {
  process.exit(0);
});
