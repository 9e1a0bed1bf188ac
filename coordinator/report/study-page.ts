import { CLAIM_VERDICTS, LIMIT_TRIALS_MIN, SIZE_FACTOR, SPREAD_MAX } from '../study/claim-rule.ts';
import type { JudgedClaim, JudgedPart } from '../study/claims.ts';
import { PUBLISHED_SOURCE } from '../study/published.ts';
import type { StudyReport } from '../study/study-report.ts';
import type { StudyRow, StudySection } from '../study/study-rows.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable } from './printable.ts';
import { sectionText, studyFields, verdictText } from './study-fields.ts';
import { STYLE } from './style.ts';
import { tableMarkup } from './text-table.ts';
import type { Field } from './text-table.ts';

/** As every report: nothing is loaded from anywhere, and nothing runs. */
const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const ARM_TEXTS = {
  faithful:
    'Faithful arm: the parameters and the fixed order of the study. What it did once is done ' +
    'once here too, and has no interval; the rigorous arm judges that.',
  rigorous:
    'Rigorous arm: randomised blocks, repeated until each cell is precise, or as often as it ' +
    'takes for an interval.',
  quick:
    'Quick arm: a few repetitions with less work, to see what this machine can do. Claims about ' +
    'more than it does are not judged.',
} as const;

/** The report of a study as one HTML page that stands by itself. */
export function studyHtml(report: StudyReport): string {
  const { studyId, arm, startedAtUtcMs, counts, sections } = report;
  const when = new Date(startedAtUtcMs).toISOString().slice(0, 16).replace('T', ' ');
  const cells = Object.entries(counts)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>Study: ${studyId}</title>
        <style>
          ${trusted(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <p class="eyebrow">${studyId} · ${when} UTC · ${arm} arm</p>
          <h1>Are unikernels ready for serverless on the edge? The study, measured here</h1>
          <div class="answer">
            <p>${verdictText(report)}.</p>
            <p>Cells: ${cells}.</p>
          </div>
          <p>${ARM_TEXTS[arm]}</p>
        </header>
        <main>
          ${claimSection(report.claims)} ${ruleSection()} ${sections.map(experimentSection)}
          ${sourceSection(sections)}
        </main>
        <footer>
          <p>Times are measured, never modelled. Published figures are of another host.</p>
        </footer>
      </body>
    </html> `;
  return page.markup;
}

function claimSection(claims: readonly JudgedClaim[]): Markup {
  const rows = claims.flatMap(({ id, claim, verdict, parts }) =>
    parts.map((part, index): readonly [string, ...Field[]] => [
      index === 0 ? id : `${id}, too`,
      index === 0 ? `${CLAIM_VERDICTS[verdict]}: ${claim}` : '',
      part.title,
      part.published,
      verdictField(part),
      part.why,
      part.sandboxes.length === 0 ? undefined : standInText(part),
    ]),
  );
  return html`<section aria-labelledby="claims">
    <h2 id="claims">The twelve claims</h2>
    ${tableMarkup({
      caption: 'Each claim with its parts; a claim is reproduced if all of its parts are.',
      heads: ['claim', 'verdict', 'part', 'study', 'here', 'why', 'sandboxes'],
      rows,
    })}
  </section>`;
}

function verdictField({ verdict }: JudgedPart): Field {
  const text = CLAIM_VERDICTS[verdict];
  return verdict === 'not-reproduced' ? { text, isAlarming: true } : text;
}

function standInText({ sandboxes, standIns }: JudgedPart): string {
  if (standIns.length === 0) return `${sandboxes.join(', ')}, as in the study`;
  return `${sandboxes.join(', ')}; judged by stand-ins: ${standIns.join('; ')}`;
}

function ruleSection(): Markup {
  const percent = SPREAD_MAX * 100;
  return html`<section aria-labelledby="rule">
    <h2 id="rule">How claims are judged</h2>
    <p>
      A ratio is reproduced if all of its 95 % interval lies on the side of 1 that the study says,
      and within a factor of ${SIZE_FACTOR} of the published ratio; not reproduced if none of it
      does; else it is undecided, which counts as not measurable here. Targets are alike if every
      pair of medians is within ${percent} %, with intervals corrected for the number of pairs. A
      limit is reproduced if each of at least ${LIMIT_TRIALS_MIN} trials found exactly it. Without
      an interval nothing is judged. Where a kind of sandbox of the study is not here, another
      stands for it and is named.
    </p>
  </section>`;
}

function experimentSection(section: StudySection): Markup {
  const { name, rows } = section;
  return html`<section aria-labelledby="${name}">
    <h2 id="${name}">${name}</h2>
    <p>${printable(sectionText(section))}.</p>
    ${
      rows.length === 0
        ? html`<p>No cell of it is known.</p>`
        : tableMarkup({
            name: `Cells of ${name}`,
            caption:
              'Medians over trials on hosts. Ratios are to the sandbox that stands for Linux on ' +
              'Firecracker; beside them what the study published.',
            heads: ['cell', 'quantity', 'n', 'median', 'ratio', 'study', 'study, ratio', 'notes'],
            rows: rows.map(rowFields),
          })
    }
  </section>`;
}

function rowFields(row: StudyRow): readonly [string, ...Field[]] {
  const fields = studyFields(row);
  const isBad = row.status === 'failed' || row.reason !== undefined;
  return [
    fields.cell,
    fields.quantity,
    fields.n,
    fields.median,
    fields.ratio,
    fields.published,
    fields.publishedRatio,
    isBad ? { text: fields.note, isAlarming: row.status === 'failed' } : fields.note,
  ];
}

function sourceSection(sections: readonly StudySection[]): Markup {
  const texts = new Set(
    sections.flatMap(({ name, rows }) =>
      rows.flatMap(({ published }) =>
        published === undefined ? [] : [`${name}: ${published.statistic} (${published.source})`],
      ),
    ),
  );
  return html`<section aria-labelledby="source">
    <h2 id="source">Where the published figures are from</h2>
    <p>${PUBLISHED_SOURCE}. Intervals are given where the source allows one.</p>
    <ul>
      ${[...texts].map((text) => html`<li>${text}.</li>`)}
    </ul>
  </section>`;
}
