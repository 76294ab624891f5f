import { change, duration, percent, score, setting } from './format.js'
import { runTitles } from './palette.js'
import type { ReportInput } from './reportInput.js'
import type { FineTuneReport } from './reportSchema.js'

/** The text that ends a run: scores, identity probe, times, warnings, and the path of the report. Plain and aligned, no colors. */
export function summaryText(
  input: Pick<ReportInput<unknown>, 'report' | 'timings' | 'warnings'>,
  reportPath: string,
): string {
  const { report, timings, warnings } = input
  const runs = report.finetune
  const scores = [
    ['Action units', ...runs.map((run) => runTitles[run.name])],
    ['λ', ...runs.map((run) => setting(run.lambda))],
    ['F1 at 0.5', ...runs.map((run) => score(run.f1At05))],
    ['F1 best (threshold)', ...runs.map((run) => `${score(run.f1Best)} (${run.threshold.toFixed(2)})`)],
    ['AUC unseen subjects', ...runs.map((run) => score(run.auc))],
    ['AUC seen subjects', ...runs.map((run) => score(run.aucSeen))],
    ['gap seen − unseen', ...runs.map((run: FineTuneReport) => change(run.aucSeen - run.auc))],
  ]
  const probe = report.identityProbe
  const probes = [
    ['Identity probe', 'FMAE', 'FMAE-IAT', 'change'],
    ['converged', score(probe.fmae), score(probe.fmaeIat), change(probe.fmaeIat - probe.fmae)],
    [
      'published protocol',
      score(probe.fmaePublished),
      score(probe.fmaeIatPublished),
      change(probe.fmaeIatPublished - probe.fmaePublished),
    ],
  ]
  const floor = `  from true AU labels ${score(probe.labelsOnly)}, chance ${score(probe.chance)}`
  const times = [
    ['Time', '', ''],
    ...timings.map((timing) => [
      timing.name,
      duration(timing.seconds),
      percent(timing.seconds / report.seconds),
    ]),
    ['total', duration(report.seconds), ''],
  ]
  const blocks = [align(scores), `${align(probes)}\n${floor}`, align(times)]
  if (warnings.length > 0) blocks.push(warnings.map((warning) => `Warning: ${warning}`).join('\n'))
  blocks.push(`Report: ${reportPath}`)
  return `${blocks.join('\n\n')}\n`
}

/** Columns as wide as their widest cell; the first is flush left, the others flush right; a rule under the first row. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  )
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2))
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
