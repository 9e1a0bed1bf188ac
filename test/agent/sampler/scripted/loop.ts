import { serveLoop } from '../../../../agent/sampler/loop-worker.ts';
import { SCRIPTED } from './collectors.ts';

serveLoop(SCRIPTED);
