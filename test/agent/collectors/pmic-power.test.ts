import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PmicPower, estimatePower, parsePmic } from '../../../agent/collectors/pmic-power.ts';
import { FirmwareQuestion } from '../../../agent/collectors/vcgencmd.ts';
import { openEnergy } from '../../../agent/collectors/energy.ts';
import { withFileTree } from './file-tree.ts';
import { line, readOnce } from './opened.ts';

// Composed after Raspberry Pi's documentation, with some of the 12 rails.
const COMPOSED = join(
  import.meta.dirname,
  '../../fixtures/collectors/raspberry-pi-5-composed/pmic_read_adc.txt',
);
const WATTS = 0.097596 * 3.720102 + 0.05660568 * 3.312407 + 1.24102 * 0.7206774;

test('parsePmic reads voltage and current of each rail', async (t) => {
  const rails = parsePmic(await readFile(COMPOSED, 'utf8'));
  t.deepEqual(rails.get('VDD_CORE'), { amperes: 1.24102, volts: 0.7206774 });
  // Of the input there is no current.
  t.deepEqual(rails.get('EXT5V'), { volts: 5.15096 });
  t.is(rails.size, 5);
});

test('parsePmic reads the short form too', (t) => {
  const rails = parsePmic('VDD_CORE_V=0.8750V\nVDD_CORE_A=1.2340A\nEXT5V_V=5.1V\n');
  t.deepEqual(rails.get('VDD_CORE'), { volts: 0.875, amperes: 1.234 });
  t.is(rails.size, 2);
});

test('estimatePower is a line through the sum over rails with both figures', async (t) => {
  const watts = estimatePower(parsePmic(await readFile(COMPOSED, 'utf8')));
  t.true(Math.abs(watts! - (WATTS * 1.1451 + 0.5879)) < 1e-12);
});

test('estimatePower knows nothing of what it can not read', (t) => {
  t.is(estimatePower(parsePmic('')), undefined);
  t.is(estimatePower(parsePmic('VCHI initialization failed\n')), undefined);
  t.is(estimatePower(parsePmic('EXT5V_V volt(24)=5.15V\n')), undefined);
});

test('energy estimates the power of a Raspberry Pi 5, at most once a second', async (t) => {
  const tree = {
    'proc/device-tree/model': 'Raspberry Pi 5 Model B Rev 1.0\0',
    vcgencmd: `#!/bin/sh\n[ "$*" = pmic_read_adc ] && cat ${COMPOSED}\n`,
  };
  await withFileTree(tree, async (roots, folder) => {
    const program = join(folder, 'vcgencmd');
    await chmod(program, 0o755);
    const readings = await readOnce(openEnergy(roots, program));
    t.is(readings.length, 1);
    t.regex(line(readings[0]!), /^lockstep\.host\.power\.estimate pmic 2\.2\d+$/);
    const pmic = new PmicPower(program);
    t.is((await pmic.read()).length, 1);
    t.deepEqual(await pmic.read(), []);
  });
});

test('FirmwareQuestion does not wait for ever', async (t) => {
  await withFileTree({ slow: '#!/bin/sh\nexec sleep 30\n' }, async (_, folder) => {
    await chmod(join(folder, 'slow'), 0o755);
    const beforeMs = performance.now();
    t.is(await new FirmwareQuestion(join(folder, 'slow'), 'get_throttled').ask(), undefined);
    t.true(performance.now() - beforeMs < 20_000);
  });
});

test('FirmwareQuestion takes a few failures in a row, then says what failed', async (t) => {
  await withFileTree({ vcgencmd: '#!/bin/sh\necho no vcio >&2; exit 255\n' }, async (_, folder) => {
    const program = join(folder, 'vcgencmd');
    await chmod(program, 0o755);
    const question = new FirmwareQuestion(program, 'get_throttled');
    t.is(await question.ask(), undefined);
    t.is(await question.ask(), undefined);
    const error = await t.throwsAsync(question.ask(), { code: 'TOOL_MISSING' });
    t.regex(error.message, /get_throttled failed: .*no vcio/);
  });
});
