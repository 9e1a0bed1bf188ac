import test from 'ava';
import { html, trusted } from '../../../coordinator/report/markup.ts';
import { printable, printableLines } from '../../../coordinator/report/printable.ts';

test('html escapes text, in content and in attributes', (t) => {
  const text = `<b title="x">'&`;
  t.is(
    html`<p title="${text}">${text}</p>`.markup,
    '<p title="&lt;b title=&quot;x&quot;&gt;&#39;&amp;">' +
      '&lt;b title=&quot;x&quot;&gt;&#39;&amp;</p>',
  );
});

test('html keeps markup and lists of it, and shows absent as nothing', (t) => {
  const items = ['a', '<'].map((text) => html`<i>${text}</i>`);
  t.is(html`<b>${items}${undefined}</b>`.markup, '<b><i>a</i><i>&lt;</i></b>');
  t.is(html`${trusted('<hr>')}${0}`.markup, '<hr>0');
});

test('printable makes one line without anything that steers', (t) => {
  t.is(printable('a\r\n\tb\u001B[31m\u202Ec'), 'a b\uFFFD[31m\uFFFDc');
});

test('printableLines keeps lines and tabs, and takes colours away', (t) => {
  t.is(printableLines('a\r\n\tb\u001B[1;31mred\u001B[0m\u0007'), 'a\n\tbred\uFFFD');
});
