import test from 'ava';
import { compareVersions, findVersion } from '../../../provisioning/bootstrap/versions.mjs';

const older = test.macro({
  exec(t, a: string, b: string) {
    t.true(compareVersions(a, b) < 0);
    t.true(compareVersions(b, a) > 0);
    t.is(compareVersions(a, a), 0);
  },
  title: (_, a: string, b: string) => `compareVersions puts ${a} before ${b}`,
});

test(older, '2.9.10', '2.10.27');
test(older, '2.10.26', '2.10.27-1+b2');
test(older, '1.22', '1.24.4');
test(older, '2.10', '2.10.1');

test('compareVersions counts missing numbers as 0', (t) => {
  t.is(compareVersions('1.22', '1.22.0'), 0);
  t.is(compareVersions('v2.10.27', '2.10.27-1+b2'), 0);
});

test('findVersion reads what programs say of themselves', (t) => {
  t.is(findVersion('nats-server: v2.10.27\n'), '2.10.27');
  t.is(findVersion('go version go1.24.4 linux/amd64'), '1.24.4');
  t.is(findVersion('no number'), undefined);
});
