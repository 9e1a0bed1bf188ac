import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';

const Tool = z.object({
  path: z.string().min(1).meta({ description: 'Absolute path.' }),
  version: z.string().min(1).meta({ description: 'Version as the tool or its package says it.' }),
});

/** What the set-up found or fetched, and what it could not: `.tools/tools.json`. */
export const Tools = z.object({
  natsServer: Tool.nullable().meta({ description: 'The NATS server; null if there is none.' }),
  go: Tool.nullable().meta({ description: 'The go command; null if there is none.' }),
  kernel: Tool.nullable()
    .default(null)
    .meta({ description: 'Folder of vmlinuz and modules/ for guests; null if there is none.' }),
  missing: z
    .array(z.object({ name: z.string(), why: z.string(), remedy: z.string() }))
    .max(100)
    .meta({ description: 'What is not there, why it matters and the command that adds it.' }),
});
export type Tools = z.output<typeof Tools>;

/**
 * Reads what the set-up has left.
 *
 * @throws LockstepError TOOL_MISSING if there was no set-up yet or its file is damaged.
 */
export async function readTools(path: string): Promise<Tools> {
  try {
    return Tools.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new LockstepError('TOOL_MISSING', `no set-up is recorded in ${path}`, {
      cause: error,
      hint: 'Run `node provisioning/bootstrap/main.mjs`.',
    });
  }
}
