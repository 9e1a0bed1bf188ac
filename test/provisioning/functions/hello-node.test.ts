import test from 'ava';
import { parseLibraries } from '../../../provisioning/functions/hello-node.ts';
import { LockstepError } from '../../../schemas/errors.ts';

const PRINTED = `\tlinux-vdso.so.1 (0x00007ffd8b7c5000)
\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f0b1c2a5000)
\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f0b1c000000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f0b1c2b1000)
`;

test('parseLibraries reads the paths, without what the kernel provides', (t) => {
  t.deepEqual(parseLibraries(PRINTED), [
    '/lib/x86_64-linux-gnu/libdl.so.2',
    '/lib/x86_64-linux-gnu/libstdc++.so.6',
    '/lib64/ld-linux-x86-64.so.2',
  ]);
  t.deepEqual(parseLibraries('\tnot a dynamic executable\n'), []);
});

test('parseLibraries names a library that is not installed', (t) => {
  const error = t.throws(() => parseLibraries('\tlibatomic.so.1 => not found\n'), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'TOOL_MISSING');
  t.regex(error.message, /libatomic\.so\.1/);
});
