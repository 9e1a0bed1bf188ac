import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import type { TlsFiles } from './endpoint-settings.ts';

/** What a connection with TLS needs, PEM. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const FILE_BYTES_MAX = 4_194_304;

/**
 * Reads the files of a connection, and checks that they can be used together.
 *
 * @param endpoint its name, for errors
 * @throws LockstepError ENDPOINTS_INVALID if a file can't be read or used.
 */
export function readTlsMaterial(endpoint: string, files: TlsFiles): TlsMaterial {
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readPem(endpoint, path);
  const ca = read(files.caFile);
  const cert = read(files.certificateFile);
  const key = read(files.keyFile);
  const material: TlsMaterial = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  try {
    createSecureContext(material);
  } catch (cause) {
    const paths = Object.values(files).join(', ');
    const reason = errorMessageOf(cause);
    throw new LockstepError(
      'ENDPOINTS_INVALID',
      `endpoint "${endpoint}": can't use ${paths}: ${reason}`,
      {
        cause,
        hint: 'Name files in PEM format, and the key that belongs to the certificate.',
      },
    );
  }
  return material;
}

function readPem(endpoint: string, path: string): Buffer {
  try {
    const sizeBytes = statSync(path).size;
    if (sizeBytes > FILE_BYTES_MAX) throw new Error(`it has ${sizeBytes} bytes`);
    return readFileSync(path);
  } catch (cause) {
    const reason = errorMessageOf(cause);
    throw new LockstepError(
      'ENDPOINTS_INVALID',
      `endpoint "${endpoint}": can't read ${path}: ${reason}`,
      {
        cause,
        hint: 'Name a file in PEM format that this process may read.',
      },
    );
  }
}
