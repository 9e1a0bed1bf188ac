import { COLLECTORS } from './collectors.ts';
import { serveLoop } from './loop-worker.ts';

serveLoop(COLLECTORS);
