import type { FineTuneOptions, PretrainOptions } from './options.js'

/**
 * Named sets of defaults. `reference` and the data-set names are the published settings (README of the reference,
 * ViT-L on one GPU); `nano` is what works in minutes on rendered faces of 64 px.
 */
export const pretrainRecipes = {
  reference: {
    standardise: 'imagenet',
    batchSize: 512,
    epochs: 50,
    warmupEpochs: 2,
    baseLearningRate: 1.5e-4,
    minimumLearningRate: 0,
    beta2: 0.95,
    shift: 0,
  },
  nano: {
    standardise: 'highpass',
    batchSize: 64,
    epochs: 8,
    warmupEpochs: 0.8,
    baseLearningRate: 8e-3,
    minimumLearningRate: 0,
    beta2: 0.95,
    shift: 1,
  },
} as const satisfies Record<string, Partial<PretrainOptions>>

const published = {
  standardise: 'imagenet',
  batchSize: 64,
  epochs: 20,
  warmupEpochs: 2,
  baseLearningRate: 5e-4,
  minimumLearningRate: 1e-6,
  beta2: 0.999,
  shift: 0,
} as const

const nano = {
  standardise: 'highpass',
  batchSize: 16,
  epochs: 8,
  warmupEpochs: 0.8,
  baseLearningRate: 3.2e-2,
  minimumLearningRate: 1e-6,
  beta2: 0.999,
  shift: 1,
  layerDecay: 1,
  dropPath: 0,
  idHeadInit: 'baseRate',
} as const

export const fineTuneRecipes = {
  bp4d: { ...published, baseLearningRate: 2e-4 },
  'bp4d-iat': { ...published, epochs: 30, warmupEpochs: 3, lambda: 2 },
  bp4dplus: published,
  'bp4dplus-iat': { ...published, epochs: 30, warmupEpochs: 3, lambda: 1 },
  disfa: published,
  'disfa-iat': { ...published, lambda: 0.5 },
  nano,
  'nano-iat': { ...nano, lambda: 1 },
} as const satisfies Record<string, Partial<FineTuneOptions>>
