import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { MESSAGE_BYTES_MAX } from '../otlp/decode-message.ts';
import { transcodeToJson } from '../otlp/export-request.ts';
import type { Payload } from '../payload.ts';
import type { EndpointRoute } from './endpoint-settings.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * The export request of a payload, protobuf without compression, at most 32 MiB.
 *
 * @throws Error if it is damaged or larger.
 */
export async function requestOf({ bytes }: Payload): Promise<Buffer> {
  return decompress(bytes, { maxOutputLength: MESSAGE_BYTES_MAX });
}

/**
 * What is sent over HTTP for a payload.
 *
 * @throws Error if the payload is damaged or too large.
 */
export async function bodyOf(
  payload: Payload,
  { protocol, compression }: Pick<EndpointRoute, 'protocol' | 'compression'>,
): Promise<Uint8Array> {
  const isGzip = compression === 'gzip';
  // It is in this form already.
  if (protocol === 'http/protobuf' && isGzip) return payload.bytes;
  const request = await requestOf(payload);
  if (protocol === 'http/protobuf') return request;
  const json = transcodeToJson(payload.signal, request);
  return isGzip ? compress(json, { level: constants.Z_BEST_SPEED }) : json;
}
