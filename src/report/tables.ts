import { auName } from '../data/actionUnits.js'
import { change, count, duration, percent, score, setting } from './format.js'
import { type Html, html } from './html.js'
import { runTitles } from './palette.js'
import type { Timing } from './reportInput.js'
import type { FineTuneReport, Report } from './reportSchema.js'

/** One row of numbers; `best` says whether the largest is bold. */
interface Row {
  readonly head: Html
  readonly cells: readonly string[]
  readonly best: boolean
}

/** Means over the units, one column per run. Thresholds and gaps have no best: a run that learned nothing has no gap. */
export function scoreTable(runs: readonly FineTuneReport[], alwaysPresent: number): Html {
  const row = (name: string, detail: string, value: (run: FineTuneReport) => string, best = true): Row => ({
    head: html`${name} <small>${detail}</small>`,
    cells: runs.map(value),
    best,
  })
  const rows = [
    row('AUC', 'unseen subjects', (run) => score(run.auc)),
    row('AUC', 'seen subjects', (run) => score(run.aucSeen)),
    row('Gap', 'seen − unseen', (run) => change(run.aucSeen - run.auc), false),
    row('F1', 'threshold 0.5', (run) => score(run.f1At05)),
    row('F1', 'best single threshold', (run) => score(run.f1Best)),
    row('Threshold', 'of the best F1', (run) => run.threshold.toFixed(2), false),
    row('λ', 'gradient reversal', (run) => setting(run.lambda), false),
  ]
  return table('Scores, mean over AUs', ['', ...runs.map(runTitle)], rows, [
    html`Always “present” <small>F1 baseline</small>`,
    ...runs.map(() => score(alwaysPresent)),
  ])
}

/** One row per action unit: F1 at 0.5 (with the prevalence of the unit) or AUC, on unseen subjects. */
export function unitTable(
  runs: readonly FineTuneReport[],
  measure: 'f1PerAu' | 'aucPerAu',
  prevalence: Readonly<Record<string, number>>,
): Html {
  const units = [...new Set(runs.flatMap((run) => Object.keys(run[measure])))].sort(
    (a, b) => Number(a) - Number(b),
  )
  // F1 depends on how often a unit is present, AUC does not.
  const withRate = measure === 'f1PerAu'
  const rows = units.map((unit) => {
    const rate = prevalence[unit]
    const name = auName(Number(unit))
    const detail = withRate && rate !== undefined ? `${name}, ${percent(rate)}` : name
    return {
      head: html`AU ${unit} <small>${detail}</small>`,
      cells: runs.map((run) => score(run[measure][unit])),
      best: true,
    }
  })
  const title = withRate ? 'F1 at threshold 0.5, unseen subjects' : 'AUC, unseen subjects'
  return table(title, [withRate ? 'AU, prevalence' : 'AU', ...runs.map(runTitle)], rows, null)
}

export function pretrainTable(pretrain: Report['pretrain']): Html {
  const row = (name: string, detail: string, value: string): Row => ({
    head: html`${name} <small>${detail}</small>`,
    cells: [value],
    best: false,
  })
  const rows = [
    row('Loss', 'first', score(pretrain.lossFirst)),
    row('Loss', 'last', score(pretrain.lossLast)),
    row('Epochs', '', count(pretrain.epochs)),
    row('Steps', '', count(pretrain.steps)),
    row('Speed', 'images/s', count(pretrain.imagesPerSecond)),
    row('Time', '', duration(pretrain.seconds)),
  ]
  return table('Pretraining', ['', 'FMAE'], rows, null)
}

export function probeTable(probe: Report['identityProbe']): Html {
  const row = (name: string, detail: string, fmae: number, iat: number): Row => ({
    head: html`${name} <small>${detail}</small>`,
    cells: [score(fmae), score(iat), change(iat - fmae)],
    best: false,
  })
  const rows = [
    row('Converged', 'softmax regression', probe.fmae, probe.fmaeIat),
    row('Published', 'short protocol', probe.fmaePublished, probe.fmaeIatPublished),
  ]
  return table('Accuracy of the identity probe', ['', 'FMAE', 'FMAE-IAT', 'Change'], rows, null)
}

/** Time per stage; `total` is the whole job, so that time outside all stages is shown too. */
export function timingTable(timings: readonly Timing[], total: number): Html {
  const rest = total - timings.reduce((sum, timing) => sum + timing.seconds, 0)
  const all = rest > 0.05 * total ? [...timings, { name: 'other', seconds: rest }] : timings
  const rows = all.map((timing) => {
    const part = total > 0 ? timing.seconds / total : 0
    return html`<tr><th scope="row">${timing.name}</th><td class="num">${duration(timing.seconds)}</td><td class="num wide">${percent(part)}</td>
<td class="share"><span style="width:${(100 * Math.min(1, part)).toFixed(1)}%"></span></td></tr>`
  })
  return html`<table class="timings"><caption>Wall-clock time</caption>
<thead><tr><th scope="col">Stage</th><th scope="col" class="num">Time</th><th scope="col" class="num wide">Share</th><th aria-hidden="true"></th></tr></thead>
<tbody>${rows}</tbody><tfoot><tr><th scope="row">total</th><td class="num">${duration(total)}</td><td class="wide"></td><td></td></tr></tfoot></table>`
}

function table(
  title: string,
  heads: readonly string[],
  rows: readonly Row[],
  foot: readonly [Html, ...string[]] | null,
): Html {
  return html`<table><caption>${title}</caption><thead><tr>${heads.map((head, index) =>
    index === 0 ? html`<th scope="col">${head}</th>` : html`<th scope="col" class="num">${head}</th>`,
  )}</tr></thead><tbody>
${rows.map((row) => html`<tr><th scope="row">${row.head}</th>${cells(row)}</tr>\n`)}</tbody>${
    foot === null
      ? null
      : html`<tfoot><tr><th scope="row">${foot[0]}</th>${(foot.slice(1) as string[]).map((cell) => html`<td class="num">${cell}</td>`)}</tr></tfoot>`
  }</table>`
}

function cells(row: Row): Html[] {
  const numbers = row.cells.map(Number).filter(Number.isFinite)
  const largest = Math.max(...numbers)
  // Values are compared as printed; if all are equal, none is best.
  const emphasise = row.best && numbers.some((value) => value < largest)
  return row.cells.map((cell) =>
    emphasise && Number(cell) === largest
      ? html`<td class="num"><strong>${cell}</strong></td>`
      : html`<td class="num">${cell}</td>`,
  )
}

function runTitle(run: FineTuneReport): string {
  return runTitles[run.name]
}
