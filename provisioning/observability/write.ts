import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateFiles } from './generated-files.ts';

// Run by `npm run schema` after a change to the names of telemetry or to a dashboard; a test
// compares the files.
for (const [path, text] of await generateFiles()) {
  writeFileSync(join(import.meta.dirname, '..', '..', path), text);
}
