import { resolve } from 'node:path';
import { LockstepError } from '../../../schemas/errors.ts';
import { toFailure } from '../../../schemas/failure.ts';
import { verifyArchive } from '../../archive/verify-archive.ts';
import type { ArchiveContents } from '../../archive/verify-archive.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** Checks an archive as a whole and says what is in it. Needs no data folder. */
export function verify(path: string, options: { json?: boolean }): Work {
  return async ({ output }) => {
    const archive = resolve(path);
    try {
      const contents = await verifyArchive(archive);
      if (options.json === true) output.result(asJson({ ok: true, ...describe(contents) }));
      else {
        output.result(`${path} is whole and as it was written\n`);
        output.result(textTable(['what', 'value'], Object.entries(describe(contents)).map(row)));
      }
      return EXIT_CODES.ok;
    } catch (error) {
      const isTold = options.json === true && error instanceof LockstepError;
      if (!isTold) throw error;
      output.result(asJson({ ok: false, failure: toFailure(error) }));
      return EXIT_CODES.failed;
    }
  };
}

function describe({ manifest, run, results, failed }: ArchiveContents) {
  const { files } = manifest;
  return {
    run: run.runId,
    state: run.state,
    question: run.experiment.question,
    devices: run.devices.map(({ presence }) => presence.deviceId),
    trialsPlanned: run.trialsPlanned,
    trialsDone: run.trialsDone,
    results,
    failedResults: failed,
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    digest: manifest.digest,
    archiveVersion: manifest.archiveVersion,
    coordinatorVersion: run.coordinatorVersion,
    lockstepVersion: manifest.lockstepVersion,
    nodeVersion: manifest.nodeVersion,
    endedAt: new Date(manifest.createdAtUtcMs).toISOString(),
  };
}

function row([name, value]: [string, string | number | string[]]): string[] {
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return [words, Array.isArray(value) ? value.join(', ') : String(value)];
}

function asJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
