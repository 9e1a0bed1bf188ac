import { readFileSync } from 'node:fs';
import test from 'ava';
import { VERSION } from '../../schemas/version.ts';

test('VERSION is the version of package.json', (t) => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  t.is(VERSION, (JSON.parse(text) as { version: string }).version);
});
