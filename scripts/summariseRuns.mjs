// Mean and spread over seeds of finished main jobs, as a Markdown table: npm run summarise -- FOLDER…
import './nodeVersion.mjs'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { main, SetupError } from './process.mjs'

const RUNS = ['scratch', 'fmae', 'fmae-iat']
const TITLES = ['From scratch', 'FMAE', 'FMAE-IAT']

function readReport(folder) {
  const file = join(folder, 'report.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new SetupError(`${file}: expected the report of a finished run (${error.message})`)
  }
}

/** "0.712 ± 0.004 (0.709, 0.710, 0.717)": mean, sample standard deviation, and the runs in order. */
function figures(values, digits = 3) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance =
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1)
  const all = values.map((value) => value.toFixed(digits)).join(', ')
  return `${mean.toFixed(digits)} ± ${Math.sqrt(variance).toFixed(digits)} (${all})`
}

function row(title, cells) {
  return `| ${[title, ...cells].join(' | ')} |`
}

/** One row per figure; `pick` takes it from a report for one of the three runs, or null where it has none. */
function tableRow(reports, title, pick) {
  const cells = RUNS.map((name) => {
    const values = reports.map((report) => pick(report, name))
    return values.includes(null) ? '–' : figures(values)
  })
  return row(title, cells)
}

const run = (report, name) => report.finetune.find((entry) => entry.name === name)
const probe = (key) => (report, name) =>
  name === 'scratch' ? null : report.identityProbe[name === 'fmae' ? `fmae${key}` : `fmaeIat${key}`]

function summarise(folders) {
  if (folders.length === 0) throw new SetupError('expected folders of finished runs, e.g. runs/short-seed0')
  const reports = folders.map(readReport)
  const rest = (title, pick, digits) => console.log(`${title}: ${figures(reports.map(pick), digits)}`)
  console.log(row(`seeds ${reports.map((report) => report.seed).join(', ')}`, TITLES))
  console.log('|---|---|---|---|')
  console.log(tableRow(reports, 'AUC, unseen subjects', (report, name) => run(report, name).auc))
  console.log(tableRow(reports, 'AUC, seen subjects', (report, name) => run(report, name).aucSeen))
  const gap = (report, name) => run(report, name).aucSeen - run(report, name).auc
  console.log(tableRow(reports, 'gap seen − unseen', gap))
  console.log(tableRow(reports, 'F1 at 0.5', (report, name) => run(report, name).f1At05))
  console.log(tableRow(reports, 'F1, best threshold', (report, name) => run(report, name).f1Best))
  console.log(tableRow(reports, 'identity probe, converged', probe('')))
  console.log(tableRow(reports, 'identity probe, published protocol', probe('Published')))
  console.log()
  rest('Identity from the true AU labels alone', (report) => report.identityProbe.labelsOnly)
  rest('Chance', (report) => report.identityProbe.chance)
  rest('FMAE loss, last', (report) => report.pretrain.lossLast)
  rest('Seconds', (report) => report.seconds, 0)
  console.log(`Adapter: ${[...new Set(reports.map((report) => report.adapter.description))].join('; ')}`)
}

await main(() => summarise(process.argv.slice(2)))
