import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from './generate.ts';

// Run by `npm run schema` after a change to schemas/experiment.ts; a test compares the file.
writeFileSync(join(import.meta.dirname, 'experiment.schema.json'), generate());
