import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import { generate } from '../../../schemas/json-schema/generate.ts';

const FOLDER = join(import.meta.dirname, '../../../schemas/json-schema');

const Node = z.looseObject({
  description: z.string().optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: z.unknown().optional(),
  get properties() {
    return z.record(z.string(), Node).optional();
  },
});

test('generate gives what is committed; run "npm run schema" after a change', (t) => {
  t.is(readFileSync(join(FOLDER, 'experiment.schema.json'), 'utf8'), generate());
});

test('generate requires only what a person must write', (t) => {
  t.deepEqual(Node.parse(JSON.parse(generate())).required, [
    'experiment',
    'question',
    'procedure',
    'factors',
    'repetitions',
  ]);
});

test('generate describes every key and allows no unknown one', (t) => {
  const visit = (node: z.output<typeof Node>, name: string): void => {
    if (node.properties === undefined) return;
    t.is(node.additionalProperties, false, name);
    for (const [key, child] of Object.entries(node.properties)) {
      t.truthy(child.description, `${name}.${key}`);
      visit(child, `${name}.${key}`);
    }
  };
  visit(Node.parse(JSON.parse(generate())), 'experiment');
});
