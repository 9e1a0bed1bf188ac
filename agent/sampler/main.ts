import { COLLECTORS } from './collectors.ts';
import { serveSampler } from './serve.ts';

await serveSampler(COLLECTORS, new URL('loop.ts', import.meta.url));
process.exit(0);
