import { systemClock } from '../clock/clock.ts';
import { serveRunner } from './serve.ts';

process.exit(await serveRunner(systemClock));
