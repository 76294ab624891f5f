import { PhiloxStream } from '../../src/engine/random.js'
import { chooseForEmbedding, embed2d } from '../../src/report/embed2d.js'
import type { Curve, EmbeddingPlot, ReportInput } from '../../src/report/reportInput.js'
import type { FineTuneName, FineTuneReport } from '../../src/report/reportSchema.js'

// Example input for the report: drawn by a seeded generator in the shape of a real run. Nothing here was measured.

const units = ['1', '2', '4', '6', '7', '10', '12', '14', '15', '17', '23', '24']
const size = 64

/** The same example for the same seed. */
export function exampleInput(seed = 0): ReportInput<Uint8Array> {
  const random = new PhiloxStream(seed, 1)
  const finetune = [
    exampleRun(random, 'scratch', 0, 0.718, 0.763),
    exampleRun(random, 'fmae', 0, 0.734, 0.785),
    exampleRun(random, 'fmae-iat', 2, 0.731, 0.767),
  ]
  return {
    report: {
      adapter: {
        vendor: 'mesa',
        architecture: 'lavapipe',
        description: 'llvmpipe (LLVM 15.0.6, 256 bits)',
        software: true,
      },
      seed,
      model: { preset: 'nano', parameters: 271_948 },
      data: { images: 6144, subjects: 192, aus: units.length },
      pretrain: {
        epochs: 8,
        steps: 512,
        lossFirst: 1.151,
        lossLast: 0.848,
        imagesPerSecond: 613.4,
        seconds: 53.4,
      },
      finetune,
      identityProbe: {
        fmae: 0.447,
        fmaeIat: 0.361,
        fmaePublished: 0.213,
        fmaeIatPublished: 0.084,
        labelsOnly: 0.149,
        chance: 0.0104,
      },
      seconds: 311.7,
    },
    lossCurves: {
      pretrain: decay(random, 512, 1.15, 0.85, 60, 0.02),
      pretrainHeldOut: decay(random, 8, 0.99, 0.862, 2, 0.002).map(([step, value]) => [step * 64, value]),
      finetune: {
        scratch: { au: decay(random, 1152, 0.66, 0.5, 300, 0.02), id: [] },
        fmae: { au: decay(random, 1152, 0.64, 0.486, 270, 0.02), id: [] },
        'fmae-iat': {
          au: decay(random, 1152, 0.65, 0.493, 300, 0.02),
          id: decay(random, 1152, 0.067, 0.0455, 400, 0.0008),
        },
      },
    },
    baseRateEntropy: 0.601,
    identityConstant: 0.058,
    prevalence: Object.fromEntries(units.map((unit) => [unit, 0.15 + 0.3 * random.uniform()])),
    reconstructions: {
      size,
      samples: Array.from({ length: 8 }, () => exampleFaces(random)),
      caption: 'Eight held-out subjects; three quarters of the patches are masked.',
    },
    embedding: {
      fmae: exampleEmbedding(seed, 2, 1.7),
      fmaeIat: exampleEmbedding(seed, 3, 0.9),
    },
    timings: [
      { name: 'Reading images', seconds: 6.2 },
      { name: 'Pretraining', seconds: 53.4 },
      ...finetune.map((run) => ({ name: `Fine-tuning, ${run.name}`, seconds: run.seconds })),
      { name: 'Identity probe', seconds: 12.6 },
      { name: 'Images and report', seconds: 7.3 },
    ],
    budget: 'short',
    warnings: [],
    command: 'node dist/train.js quickstart --budget short --seed 0',
    versions: { 'fmae-webgpu': '0.1.0', node: '20.19.4', webgpu: '0.6.2' },
    date: '2025-01-31T12:00:00Z',
    folds:
      'Pretraining: one image of each of 4,096 subjects. Fine-tuning: 128 subjects, 18 of 24 images. Seen: their other 6 images. Unseen: 32 subjects used for nothing else.',
    notes: [
      'Example input from a seeded generator. Nothing on this page was measured.',
      'One seed. Differences between runs are judged over several seeds in the README.',
    ],
  }
}

function exampleRun(
  random: PhiloxStream,
  name: FineTuneName,
  lambda: number,
  auc: number,
  aucSeen: number,
): FineTuneReport {
  const around = (centre: number, spread: number) =>
    Number(Math.min(0.99, Math.max(0, centre + spread * random.normal())).toFixed(4))
  const f1PerEpoch = Array.from({ length: 16 }, (_, epoch) =>
    Number((0.43 * (1 - Math.exp(-epoch / 4)) + 0.01 * random.uniform()).toFixed(4)),
  )
  return {
    name,
    lambda,
    f1At05: f1PerEpoch.at(-1)!,
    f1Best: around(0.54, 0.006),
    threshold: 0.31,
    auc,
    aucSeen,
    f1PerAu: Object.fromEntries(units.map((unit) => [unit, around(0.42, 0.2)])),
    aucPerAu: Object.fromEntries(units.map((unit) => [unit, unit === '24' ? null : around(auc, 0.1)])),
    f1PerEpoch,
    seconds: around(72, 0) + random.uniform() + 60,
  }
}

function decay(
  random: PhiloxStream,
  steps: number,
  from: number,
  to: number,
  half: number,
  noise: number,
): Curve {
  return Array.from({ length: steps }, (_, index) => [
    index + 1,
    to + (from - to) * Math.exp(-index / half) + noise * random.normal(),
  ])
}

/** People as Gaussian clouds in 16 dimensions; `apart` is how far their centres lie from one another. */
function exampleEmbedding(seed: number, stream: number, apart: number): EmbeddingPlot {
  const random = new PhiloxStream(seed, stream)
  const subjects = Array.from({ length: 24 }, (_, subject) => ({
    name: String(subject + 101),
    centre: Array.from({ length: 16 }, () => apart * random.normal()),
  }))
  const rows = subjects.flatMap(({ name, centre }) =>
    Array.from({ length: 30 }, () => ({ name, row: centre.map((value) => value + random.normal()) })),
  )
  const chosen = chooseForEmbedding(rows.map(({ name }) => name))
  return {
    points: embed2d(
      chosen.map((index) => rows[index].row),
      seed,
    ),
    subjects: chosen.map((index) => rows[index].name),
  }
}

/** A drawn face, the same with three quarters of its 16-pixel patches grey, and a blurred twin as the reconstruction. */
function exampleFaces(random: PhiloxStream) {
  const skin = [150 + 80 * random.uniform(), 110 + 60 * random.uniform(), 90 + 50 * random.uniform()]
  const ground = [60, 90, 120].map((value) => value + 90 * random.uniform())
  const smile = 6 * random.uniform()
  const visible = new Set(random.permutation(16).slice(0, 4))
  const original = new Uint8Array(size * size * 3)
  const masked = new Uint8Array(size * size * 3)
  const reconstruction = new Uint8Array(size * size * 3)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const shown = visible.has(Math.floor(y / 16) * 4 + Math.floor(x / 16))
      for (let channel = 0; channel < 3; channel++) {
        const sharp = facePixel(x, y, skin[channel], ground[channel], smile)
        const soft = 0.5 * (sharp + facePixel(x, y, skin[channel] - 12, ground[channel], 2))
        const at = (y * size + x) * 3 + channel
        original[at] = sharp
        masked[at] = shown ? sharp : 128
        reconstruction[at] = shown ? sharp : soft
      }
    }
  }
  return { original, masked, reconstruction }
}

function facePixel(x: number, y: number, skin: number, ground: number, smile: number): number {
  const [dx, dy] = [(x - 32) / 23, (y - 34) / 29]
  if (dx * dx + dy * dy > 1) return ground
  const eye = Math.min(Math.hypot(x - 23, y - 28), Math.hypot(x - 41, y - 28))
  const mouth = Math.abs(y - 48 + (smile * (x - 32) ** 2) / 100)
  if (eye < 3 || (mouth < 1.6 && Math.abs(x - 32) < 10)) return 50
  return skin * (1 - 0.35 * dx * dx - 0.1 * dy)
}
