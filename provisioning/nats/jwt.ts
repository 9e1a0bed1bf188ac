import { createHash } from 'node:crypto';
import type { Nkey } from '../../bus/nkey.ts';

/** What a NATS token says. */
export interface NatsClaims {
  /** Public key of the thing that the token is about. */
  subject: string;
  name: string;
  /** The part that NATS defines: type, version, limits, permissions. */
  nats: Record<string, unknown>;
}

const BASE32_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * A token as nats-server reads it: a JWT whose algorithm is `ed25519-nkey`, signed by the key of
 * the operator or account that vouches for the subject. Its id is the digest of its content.
 */
export function natsJwt(claims: NatsClaims, issuer: Nkey): string {
  const content = {
    jti: '',
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.publicKey,
    name: claims.name,
    sub: claims.subject,
    nats: claims.nats,
  };
  const digest = createHash('sha512-256').update(JSON.stringify(content)).digest();
  const header = encodePart({ typ: 'JWT', alg: 'ed25519-nkey' });
  const body = `${header}.${encodePart({ ...content, jti: encodeBase32(digest) })}`;
  return `${body}.${issuer.sign(body).toString('base64url')}`;
}

function encodePart(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += BASE32_ALPHABET.charAt((bits >> bitCount) & 31);
    }
  }
  if (bitCount > 0) text += BASE32_ALPHABET.charAt((bits << (5 - bitCount)) & 31);
  return text;
}
