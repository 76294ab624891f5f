import {
  auLossFigure,
  embeddingFigure,
  epochFigure,
  gapFigure,
  identityLossFigure,
  pretrainFigure,
  probeFigure,
  reconstructionFigure,
} from './figures.js'
import { count, duration } from './format.js'
import { Html, html } from './html.js'
import type { ReportInput } from './reportInput.js'
import { styleSheet } from './style.js'
import { pretrainTable, probeTable, scoreTable, timingTable, unitTable } from './tables.js'
import { alwaysPresentF1, verdicts } from './verdicts.js'

/**
 * The report page of one main job: a single HTML file that contains its style and images, without scripts and external
 * resources. Images in `input` are data URIs. A pure function: the same input gives the same text.
 */
export function renderReport(input: ReportInput): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>FMAE-IAT run report, seed ${input.report.seed}</title>
<style>${new Html(styleSheet())}</style>
</head>
<body>
${head(input)}
<main>
${warnings(input.warnings)}
${findings(input)}
${pretraining(input)}
${actionUnits(input)}
${identity(input)}
${howItRan(input)}
</main>
<footer>Method: ${paperLink}. The numbers on this page are also in report.json, in the same folder.</footer>
</body>
</html>
`.text
}

const paperLink = html`<a href="https://arxiv.org/abs/2407.11243">Representation Learning and Identity Adversarial Training for Facial Behavior Understanding, arXiv 2407.11243</a>`

function head(input: ReportInput): Html {
  const { report } = input
  const { adapter, data, model } = report
  const badge = adapter.software
    ? html`<span class="badge software">software adapter</span>`
    : html`<span class="badge">hardware adapter</span>`
  const names = [adapter.vendor, adapter.architecture].filter((name) => name !== '').join(' ')
  const facts: readonly [string, Html | string, boolean?][] = [
    ['Faces', `${count(data.images)} images of ${count(data.subjects)} subjects, ${data.aus} action units`],
    ['Model', `${model.preset}, ${count(model.parameters)} parameters`],
    ['Budget and seed', `${input.budget}, seed ${report.seed}`],
    ['Adapter', html`${badge}${adapter.description || names}`],
    ['Driver', names || 'unknown'],
    ['Run time', duration(report.seconds)],
    ['Training and test data', input.folds, true],
  ]
  return html`<header>
<p class="eyebrow">Run report, <time datetime="${input.date}">${readableDate(input.date)}</time></p>
<h1>FMAE and identity adversarial training</h1>
<p class="lead">A masked autoencoder (FMAE) was pretrained on face images. Its encoder was then fine-tuned to detect facial action units (AUs), without and with identity adversarial training (IAT).</p>
<dl class="conditions">${facts.map(
    ([name, value, wide]) => html`<div class="${wide ? 'wide' : ''}"><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>
</header>`
}

function warnings(texts: readonly string[]): Html | null {
  if (texts.length === 0) return null
  return html`<section class="warnings"><h2>Warnings</h2><ul>${texts.map((text) => html`<li>${text}</li>`)}</ul></section>`
}

function findings(input: ReportInput): Html {
  return html`<section id="findings"><h2>Findings</h2><div class="grid verdicts">${verdicts(input).map(
    (verdict) =>
      html`<div class="verdict"><h3>${verdict.label}</h3><p class="figure">${verdict.figure}</p><p>${verdict.text}</p></div>`,
  )}</div></section>`
}

function pretraining(input: ReportInput): Html {
  return html`<section id="pretraining"><h2>Pretraining</h2>
<p>The masked autoencoder sees part of each face and reconstructs the rest. It uses no labels.</p>
<div class="grid">${pretrainFigure(input)}<div>${pretrainTable(input.report.pretrain)}</div>${reconstructionFigure(input)}</div></section>`
}

function actionUnits(input: ReportInput): Html {
  const runs = input.report.finetune
  const always = alwaysPresentF1(input.prevalence)
  return html`<section id="action-units"><h2>Action units</h2>
<p>Unseen subjects are held out of all training. Seen subjects are training subjects, tested on held-out images. The best value of a row is bold.</p>
<div class="grid"><div>${scoreTable(runs, always)}</div>${gapFigure(runs)}
${epochFigure(runs, always)}${auLossFigure(input)}
<div>${unitTable(runs, 'f1PerAu', input.prevalence)}</div><div>${unitTable(runs, 'aucPerAu', input.prevalence)}</div>
</div></section>`
}

function identity(input: ReportInput): Html {
  const { embedding, report } = input
  const order = [...new Set([...embedding.fmae.subjects, ...embedding.fmaeIat.subjects])].sort()
  return html`<section id="identity"><h2>Identity</h2>
<p>This section shows how well the subject can be identified from the features of the AU classifier.</p>
<div class="grid">${probeFigure(report.identityProbe)}
<div class="stack"><div>${probeTable(report.identityProbe)}</div>${identityLossFigure(input)}</div>
${embeddingFigure('FMAE features', embedding.fmae, order)}${embeddingFigure('FMAE-IAT features', embedding.fmaeIat, order)}
</div><figure><figcaption>Both maps were made by UMAP with the same seed. UMAP preserves neighborhoods, not distances. The size of a cluster and the space between clusters mean nothing. Another seed gives another map. The probe is the measurement; the maps are illustrations.</figcaption></figure></section>`
}

function howItRan(input: ReportInput): Html {
  const versions = Object.entries(input.versions).map(([name, version]) => `${name} ${version}`)
  return html`<section id="run" class="run"><h2>Run details</h2>
<p><code>${input.command}</code></p>
<div class="grid"><div>${timingTable(input.timings, input.report.seconds)}</div>
<div><h3>Versions</h3><p>${versions.join(', ')}</p>${
    input.notes.length > 0
      ? html`<h3>Notes</h3><ul class="notes">${input.notes.map((note) => html`<li>${note}</li>`)}</ul>`
      : null
  }</div></div></section>`
}

/** 2025-01-31T12:00:00Z → 31 January 2025, 12:00 UTC; the same text on every machine. */
function readableDate(iso: string): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  return `${new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' }).format(date)} UTC`
}
