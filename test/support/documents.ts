import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from './nats-server.ts';

/** The examples in one language that a document of `docs/` shows, in their order. */
export async function examplesOf(document: string, language: string): Promise<string[]> {
  const text = await readFile(join(CHECKOUT, 'docs', document), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...text.matchAll(fence)].map(([, code = '']) => code);
}
