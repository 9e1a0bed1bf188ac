import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { errorMessageOf } from '../../../schemas/errors.ts';
import { findNatsServer } from '../../../provisioning/nats/find-server.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CHECKOUT_FOLDER } from '../home.ts';
import type { Session, Work } from '../session.ts';

/** What was checked, and what to do if it is not in order. */
interface Finding {
  readonly what: string;
  readonly isFine: boolean;
  readonly detail: string;
  readonly remedy?: string;
}

const Tools = z.object({
  missing: z.array(z.object({ name: z.string(), why: z.string(), remedy: z.string() })),
});

const ARTEFACTS = ['hello-go', 'hello-node', 'guest-kernel'];

/** Says what this machine has and lacks for Lockstep, and how to get it. Changes nothing. */
export function doctor(options: { json?: boolean }): Work {
  return async (session) => {
    const findings = [
      nodeFinding(),
      rootFinding(),
      await serverFinding(),
      ...(await artefactFindings(session)),
      ...(await missingTools()),
    ];
    if (options.json === true) session.output.result(JSON.stringify(findings, null, 2));
    else for (const finding of findings) session.output.result(findingLines(finding));
    return findings.every(({ isFine }) => isFine) ? EXIT_CODES.ok : EXIT_CODES.failed;
  };
}

function nodeFinding(): Finding {
  const isFine = Number(process.versions.node.split('.')[0]) >= 24;
  const remedy = 'Run `npm run setup`, and start Lockstep with npm or ./lockstep.';
  return { what: 'Node', isFine, detail: process.version, ...(isFine ? {} : { remedy }) };
}

function rootFinding(): Finding {
  const isFine = process.getuid?.() === 0;
  return {
    what: 'root',
    isFine,
    detail: isFine ? 'yes' : 'no: some sandboxes and all limits need it',
    ...(isFine ? {} : { remedy: 'Run as root for every sandbox, or go on with fewer.' }),
  };
}

async function serverFinding(): Promise<Finding> {
  const what = 'nats-server';
  try {
    return { what, isFine: true, detail: await findNatsServer(CHECKOUT_FOLDER) };
  } catch (error) {
    const remedy = 'Run `npm run setup`.';
    return { what, isFine: false, detail: errorMessageOf(error), remedy };
  }
}

async function artefactFindings({ home }: Session): Promise<Finding[]> {
  const names = await new ArtefactCache(home.cacheFolder).names();
  return ARTEFACTS.map((name) => {
    const digest = names[name];
    if (digest !== undefined) return { what: name, isFine: true, detail: digest };
    return { what: name, isFine: false, detail: 'not built', remedy: 'Run `npm run setup`.' };
  });
}

async function missingTools(): Promise<Finding[]> {
  try {
    const text = await readFile(join(CHECKOUT_FOLDER, '.tools/tools.json'), 'utf8');
    const { missing } = Tools.parse(JSON.parse(text));
    return missing.map(({ name, why, remedy }) => ({
      what: name,
      isFine: false,
      detail: why,
      remedy,
    }));
  } catch {
    const remedy = 'Run `npm run setup`.';
    return [{ what: 'set-up', isFine: false, detail: 'it was never completed', remedy }];
  }
}

function findingLines({ what, isFine, detail, remedy }: Finding): string {
  const line = `${isFine ? 'ok     ' : 'missing'}  ${what}: ${detail}`;
  return remedy === undefined ? line : `${line}\n         ${remedy}`;
}
