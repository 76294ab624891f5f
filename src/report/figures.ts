import type { ReconstructionSample } from '../train/reconstructions.js'
import { barChart } from './barChart.js'
import { marker, type Reference } from './chart.js'
import { change, percent, score, setting } from './format.js'
import { type Html, html } from './html.js'
import { type LineSeries, lineChart } from './lineChart.js'
import { runTitles, type Tone, tones } from './palette.js'
import type { EmbeddingPlot, ReportInput } from './reportInput.js'
import type { FineTuneReport, Report } from './reportSchema.js'
import { neighbourShare, scatter } from './scatter.js'

/** A drawing with its title, its signs, and a caption that says what it shows and what it cannot show. */
function figure(title: string, legend: Html | null, drawing: Html, caption: HtmlText, className = ''): Html {
  return html`<figure class="${className}"><h3>${title}</h3>${legend}${drawing}<figcaption>${caption}</figcaption></figure>`
}

type HtmlText = string | Html

/** Signs of the curves: line, dash and marker of each. */
function legend(entries: readonly LegendEntry[]): Html {
  return html`<ul class="legend">${entries.map(
    ({ name, tone }) =>
      html`<li><svg class="series tone-${tone}" viewBox="0 0 30 12" aria-hidden="true"><path class="line" d="M0 6H30"/>${marker(
        tones[tone].marker,
        15,
        6,
        3.6,
        null,
      )}</svg>${name}</li>`,
  )}</ul>`
}

export function pretrainFigure({ report, lossCurves }: ReportInput): Html {
  const series: LineSeries[] = [{ name: 'training people', tone: 'training', points: lossCurves.pretrain }]
  if (lossCurves.pretrainHeldOut) {
    series.push({ name: 'held-out people', tone: 'held-out', points: lossCurves.pretrainHeldOut })
  }
  const drawing = lineChart({
    description: `Masked-patch loss over ${report.pretrain.steps} pretraining steps`,
    xLabel: 'step',
    yLabel: 'masked-patch loss',
    series,
  })
  return figure(
    'Pretraining loss',
    legend(series),
    drawing,
    'Mean squared error on hidden patches, each standardised by its own mean and deviation, so predicting the patch mean alone scores about 1. Long curves are drawn as means of neighbouring steps. A low loss says that faces are predictable, not that expressions were understood.',
  )
}

/** Signs of the bars: a filled square each. */
function barLegend(entries: readonly LegendEntry[]): Html {
  return html`<ul class="legend">${entries.map(
    ({ name, tone }) => html`<li><i class="swatch tone-${tone}"></i>${name}</li>`,
  )}</ul>`
}

interface LegendEntry {
  readonly name: string
  readonly tone: Tone
}

/** Pictures per band: what a phone shows side by side. */
const bandLength = 4

export function reconstructionFigure({ reconstructions }: ReportInput): Html {
  const { samples, caption, size } = reconstructions
  const bands = Array.from({ length: Math.ceil(samples.length / bandLength) }, (_, band) =>
    samples.slice(band * bandLength, (band + 1) * bandLength),
  )
  const drawing =
    samples.length === 0
      ? html`<p class="empty">No pictures were kept.</p>`
      : html`<div class="faces">${bands.map((band) => faceBand(band, size))}</div>`
  return figure(
    'Reconstructions',
    null,
    drawing,
    html`${caption} Norm-pix reconstructions use the true patch mean and deviation, which the model does not predict: colour and brightness of hidden patches are given, only the pattern inside them is the model’s. That flatters them.`,
    'full',
  )
}

function faceBand(samples: readonly ReconstructionSample<string>[], size: number): Html {
  const rows = [
    ['original', 'original'],
    ['masked', 'masked'],
    ['reconstruction', 'rebuilt'],
  ] as const
  const padding = bandLength - samples.length
  return html`<table>${rows.map(
    ([key, name]) =>
      html`<tr><th scope="row">${name}</th>${samples.map(
        (sample) =>
          html`<td><img src="${sample[key]}" width="${size}" height="${size}" alt="${name} face"></td>`,
      )}${padding > 0 ? html`<td colspan="${padding}"></td>` : null}</tr>`,
  )}</table>`
}

export function gapFigure(runs: readonly FineTuneReport[]): Html {
  const drawing = barChart({
    description: 'AUC on unseen and on seen people for every run',
    yLabel: 'AUC',
    baseline: 0.5,
    references: [],
    groups: runs.map((run) => ({
      label: runTitles[run.name],
      detail: `gap ${change(run.aucSeen - run.auc)}`,
      bars: [
        { name: 'unseen people', tone: run.name, value: run.auc },
        { name: 'seen people', tone: run.name, value: run.aucSeen, pale: true },
      ],
    })),
  })
  return figure(
    'AUC on unseen and seen people',
    null,
    drawing,
    'Solid: people never trained on. Pale: new pictures of people trained on. Bars start at 0.5, which is guessing. The gap is what knowing the person is worth; it also holds ordinary overfitting, and a run that learnt nothing has none.',
  )
}

export function epochFigure(runs: readonly FineTuneReport[], alwaysPresent: number): Html {
  const series = runs.map((run) => ({
    name: runTitles[run.name],
    tone: run.name,
    points: run.f1PerEpoch.map((value, index) => [index + 1, value] as const),
  }))
  const lastIsReported = runs.every((run) => run.f1PerEpoch.at(-1) === run.f1At05)
  const last = lastIsReported ? ' The tables use the last epoch.' : ''
  const drawing = lineChart({
    description: 'F1 on unseen people after every epoch',
    xLabel: 'epoch',
    yLabel: 'F1 at threshold 0.5',
    yFrom: 0,
    references: [{ name: 'no skill', value: alwaysPresent }],
    series,
  })
  return figure(
    'F1 per epoch, unseen people',
    legend(series),
    drawing,
    `Answering “present” to every picture scores ${score(alwaysPresent)} without looking (dotted line), so an F1 near that or near 0 shows no skill. F1 at 0.5 also falls when a model only becomes less sure of itself; AUC does not.${last}`,
  )
}

export function auLossFigure({ report, lossCurves, baseRateEntropy }: ReportInput): Html {
  const series = runCurves(report.finetune, lossCurves, 'au')
  const drawing = lineChart({
    description: 'Action-unit loss over the fine-tuning steps',
    xLabel: 'step',
    yLabel: 'action-unit loss (BCE)',
    references: [{ name: 'base rates', value: baseRateEntropy }],
    series,
  })
  return figure(
    'Action-unit loss, training people',
    legend(series),
    drawing,
    'Below the dotted line a run knows more than how often each unit occurs. The loss is measured on augmented training pictures: it says whether a run learns, not whether it carries over to other people.',
  )
}

export function identityLossFigure({ report, lossCurves, identityConstant }: ReportInput): Html {
  const series = runCurves(report.finetune, lossCurves, 'id')
  const drawing = lineChart({
    description: 'Identity loss over the fine-tuning steps',
    xLabel: 'step',
    yLabel: 'identity loss',
    references: [{ name: 'constant', value: identityConstant }],
    series,
  })
  const lambdas = series.map(({ name, lambda }) => `${name} λ = ${setting(lambda)}`).join(', ')
  return figure(
    'Identity loss',
    legend(series),
    drawing,
    `${lambdas ? `${lambdas}. ` : ''}The identity head tries to lower this loss, the backbone to raise it. The dotted line is the best that a constant answer, blind to the picture, can do. Near it, the head knows little; above it, it is being fooled, which is not the same as identity being gone.`,
  )
}

function runCurves(runs: readonly FineTuneReport[], curves: ReportInput['lossCurves'], kind: 'au' | 'id') {
  return runs.flatMap((run) => {
    const points = curves.finetune[run.name]?.[kind] ?? []
    return points.length > 0
      ? [{ name: runTitles[run.name], tone: run.name, points, lambda: run.lambda }]
      : []
  })
}

export function probeFigure(probe: Report['identityProbe']): Html {
  const bars = (fmae: number, iat: number) => [
    { name: 'FMAE', tone: 'fmae' as const, value: fmae },
    { name: 'FMAE-IAT', tone: 'fmae-iat' as const, value: iat },
  ]
  const references: Reference[] = [
    { name: 'labels alone', value: probe.labelsOnly },
    { name: 'chance', value: probe.chance },
  ]
  const drawing = barChart({
    description: 'Share of pictures in which a linear probe names the person',
    yLabel: 'share of pictures named right',
    baseline: 0,
    references,
    groups: [
      { label: 'Converged', bars: bars(probe.fmae, probe.fmaeIat) },
      { label: 'Published protocol', bars: bars(probe.fmaePublished, probe.fmaeIatPublished) },
    ],
  })
  return figure(
    'Identity probe',
    barLegend([
      { name: 'FMAE', tone: 'fmae' },
      { name: 'FMAE-IAT', tone: 'fmae-iat' },
    ]),
    drawing,
    `A linear classifier names the person from frozen features. The floor is not chance (${score(probe.chance)}) but ${score(probe.labelsOnly)}: people differ in which units they show, so the true labels alone name that share, and a perfect detector would too. The published protocol stops early and reads the scale of the features as well as what they hold; the converged probe is the one to judge by. A linear probe cannot see identity that is coded non-linearly.`,
  )
}

export function embeddingFigure(title: string, plot: EmbeddingPlot, order: readonly string[]): Html {
  const near = percent(neighbourShare(plot))
  return figure(
    title,
    null,
    scatter(plot, order, `${title}: ${plot.points.length} pictures of ${order.length} people in the plane`),
    `${plot.points.length} pictures of ${order.length} people, a colour and sign for each. In this plane the nearest neighbour is the same person for ${near} of the points.`,
  )
}
