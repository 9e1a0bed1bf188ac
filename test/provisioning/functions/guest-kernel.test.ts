import test from 'ava';
import { findPackedKernel } from '../../../provisioning/functions/guest-kernel.ts';

const LZ4_MAGIC = Buffer.from([0x02, 0x21, 0x4c, 0x18]);

/** A bzImage with one sector of set-up code and a payload that begins 16 bytes after it. */
function makeImage(payload: Buffer): Buffer {
  const image = Buffer.alloc(1024 + 16 + payload.length + 8);
  image.writeUInt8(1, 0x1f1);
  image.write('HdrS', 0x202);
  image.writeUInt32LE(16, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  payload.copy(image, 1024 + 16);
  return image;
}

function makePayload(magic: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(53_243_444);
  return Buffer.concat([magic, Buffer.from('compressed'), size]);
}

test('findPackedKernel finds exactly the stream, and its size once decompressed', (t) => {
  const kernel = findPackedKernel(makeImage(makePayload(LZ4_MAGIC)));
  t.deepEqual(kernel?.stream, Buffer.concat([LZ4_MAGIC, Buffer.from('compressed')]));
  t.is(kernel?.sizeBytes, 53_243_444);
});

test('findPackedKernel leaves other compressions, raw kernels and cut images alone', (t) => {
  const image = makeImage(makePayload(LZ4_MAGIC));
  t.is(findPackedKernel(makeImage(makePayload(Buffer.from('\x1f\x8b\x08\x00')))), undefined);
  t.is(findPackedKernel(Buffer.alloc(4096)), undefined);
  t.is(findPackedKernel(image.subarray(0, 1045)), undefined);
  t.is(findPackedKernel(Buffer.alloc(0)), undefined);
});
