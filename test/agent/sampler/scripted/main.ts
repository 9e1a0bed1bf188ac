import { serveSampler } from '../../../../agent/sampler/serve.ts';
import { SCRIPTED } from './collectors.ts';

await serveSampler(SCRIPTED, new URL('loop.ts', import.meta.url));
process.exit(0);
