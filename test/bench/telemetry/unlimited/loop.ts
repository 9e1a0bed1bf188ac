import { serveLoop } from '../../../../agent/sampler/loop-worker.ts';
import { UNLIMITED } from './collectors.ts';

serveLoop(UNLIMITED);
