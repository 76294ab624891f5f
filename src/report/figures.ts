import type { ReconstructionSample } from '../train/reconstructions.js'
import { barChart } from './barChart.js'
import { marker, type Reference } from './chart.js'
import { change, percent, score, setting } from './format.js'
import { type Html, html } from './html.js'
import { type LineSeries, lineChart } from './lineChart.js'
import { runTitles, type Tone, tones } from './palette.js'
import type { EmbeddingPlot, ReportInput } from './reportInput.js'
import type { FineTuneReport, Report } from './reportSchema.js'
import { neighborShare, scatter } from './scatter.js'

/** A drawing with its title, its legend, and a caption that says what it shows and what it cannot show. */
function figure(title: string, legend: Html | null, drawing: Html, caption: HtmlText, className = ''): Html {
  return html`<figure class="${className}"><h3>${title}</h3>${legend}${drawing}<figcaption>${caption}</figcaption></figure>`
}

type HtmlText = string | Html

/** Legend of the curves: line, dash and marker of each. */
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
  const series: LineSeries[] = [{ name: 'training subjects', tone: 'training', points: lossCurves.pretrain }]
  if (lossCurves.pretrainHeldOut) {
    series.push({ name: 'held-out subjects', tone: 'held-out', points: lossCurves.pretrainHeldOut })
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
    'Mean squared error on masked patches, each normalized by its own mean and standard deviation. Predicting the patch mean scores about 1. Points of long curves are averages of several steps. A low loss shows that faces are predictable, not that expressions were understood.',
  )
}

/** Legend of the bars: a filled square for each. */
function barLegend(entries: readonly LegendEntry[]): Html {
  return html`<ul class="legend">${entries.map(
    ({ name, tone }) => html`<li><i class="swatch tone-${tone}"></i>${name}</li>`,
  )}</ul>`
}

interface LegendEntry {
  readonly name: string
  readonly tone: Tone
}

/** Images per row: as many as fit on a phone. */
const BAND_LENGTH = 4

export function reconstructionFigure({ reconstructions }: ReportInput): Html {
  const { samples, caption, size } = reconstructions
  const bands = Array.from({ length: Math.ceil(samples.length / BAND_LENGTH) }, (_, band) =>
    samples.slice(band * BAND_LENGTH, (band + 1) * BAND_LENGTH),
  )
  const drawing =
    samples.length === 0
      ? html`<p class="empty">No images available.</p>`
      : html`<div class="faces">${bands.map((band) => faceBand(band, size))}</div>`
  return figure(
    'Reconstructions',
    null,
    drawing,
    html`${caption} Reconstructions use the true mean and standard deviation of each masked patch, which the model does not predict. Color and brightness are therefore given; only the pattern is predicted.`,
    'full',
  )
}

function faceBand(samples: readonly ReconstructionSample<string>[], size: number): Html {
  const rows = [
    ['original', 'original'],
    ['masked', 'masked'],
    ['reconstruction', 'reconstructed'],
  ] as const
  const padding = BAND_LENGTH - samples.length
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
    description: 'AUC on unseen and seen subjects for every run',
    yLabel: 'AUC',
    baseline: 0.5,
    references: [],
    groups: runs.map((run) => ({
      label: runTitles[run.name],
      detail: `gap ${change(run.aucSeen - run.auc)}`,
      bars: [
        { name: 'unseen subjects', tone: run.name, value: run.auc },
        { name: 'seen subjects', tone: run.name, value: run.aucSeen, pale: true },
      ],
    })),
  })
  return figure(
    'AUC on unseen and seen subjects',
    null,
    drawing,
    'Solid: unseen subjects. Pale: held-out images of training subjects. Bars start at 0.5, which is chance. The gap measures the identity shortcut together with ordinary overfitting. A run that learned nothing has no gap.',
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
    description: 'F1 on unseen subjects after every epoch',
    xLabel: 'epoch',
    yLabel: 'F1 at threshold 0.5',
    yFrom: 0,
    references: [{ name: 'baseline', value: alwaysPresent }],
    series,
  })
  return figure(
    'F1 per epoch, unseen subjects',
    legend(series),
    drawing,
    `The dotted line (${score(alwaysPresent)}) is the F1 of always answering “present”. An F1 near it or near 0 shows no skill. F1 at 0.5 also falls when a model becomes less confident; AUC does not.${last}`,
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
    'Action-unit loss, training subjects',
    legend(series),
    drawing,
    'Below the dotted line, a run has learned more than the base rates. The loss is measured on augmented training images: it shows learning, not generalization to other subjects.',
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
    `${lambdas ? `${lambdas}. ` : ''}The identity head minimizes this loss; the encoder maximizes it. The dotted line is the best constant prediction. Near it, the head knows little. Above it, the head is being fooled, which does not mean that identity is gone.`,
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
    { name: 'AU labels', value: probe.labelsOnly },
    { name: 'chance', value: probe.chance },
  ]
  const drawing = barChart({
    description: 'Accuracy of a linear probe that identifies the subject',
    yLabel: 'accuracy',
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
    `A linear classifier identifies the subject from frozen features. The baseline is not chance (${score(probe.chance)}) but ${score(probe.labelsOnly)}, the accuracy from the true AU labels alone. Subjects differ in their AUs, so a perfect detector reaches it too. The published protocol stops early, so it also measures the scale of the features. Judge by the converged probe. A linear probe cannot see identity that is encoded nonlinearly.`,
  )
}

export function embeddingFigure(title: string, plot: EmbeddingPlot, order: readonly string[]): Html {
  const near = percent(neighborShare(plot))
  return figure(
    title,
    null,
    scatter(plot, order, `${title}: ${plot.points.length} images of ${order.length} subjects`),
    `${plot.points.length} images of ${order.length} subjects, each with its own color and symbol. The nearest neighbor on the map is the same subject for ${near} of the images.`,
  )
}
