import { z } from 'zod';
import { Experiment } from '../experiment.ts';

/**
 * The JSON Schema of experiment files, as text, for editors: what a person may write, so that
 * fields with a default are optional. Draft 7, the one that YAML language servers know best. Rules
 * between fields are not in it; `lockstep check` knows them all.
 */
export function generate(): string {
  const schema = z.toJSONSchema(Experiment, { io: 'input', target: 'draft-7' });
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
