import { serveSampler } from '../../../../agent/sampler/serve.ts';
import { UNLIMITED } from './collectors.ts';

await serveSampler(UNLIMITED, new URL('loop.ts', import.meta.url));
process.exit(0);
