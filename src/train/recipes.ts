import type { FineTuneSettings, PretrainSettings } from './settings.js'

/**
 * Named changes to the default settings. `nano` is the defaults themselves, which work in minutes on rendered 64 px
 * faces. The others are the published settings of the reference's README, for ViT-L on one GPU.
 */
export const pretrainRecipes = {
  nano: {},
  reference: {
    standardise: 'imagenet',
    batchSize: 512,
    epochs: 50,
    warmupEpochs: 2,
    baseLearningRate: 1.5e-4,
    shift: 0,
  },
} as const satisfies Record<string, Partial<PretrainSettings>>

const published = {
  standardise: 'imagenet',
  batchSize: 64,
  epochs: 20,
  warmupEpochs: 2,
  baseLearningRate: 5e-4,
  shift: 0,
  layerDecay: 0.65,
  dropPath: 0.1,
  idHeadInit: 'default',
} as const

export const fineTuneRecipes = {
  nano: {},
  'nano-iat': { lambda: 1 },
  bp4d: { ...published, baseLearningRate: 2e-4 },
  'bp4d-iat': { ...published, epochs: 30, warmupEpochs: 3, lambda: 2 },
  bp4dplus: published,
  'bp4dplus-iat': { ...published, epochs: 30, warmupEpochs: 3, lambda: 1 },
  disfa: published,
  'disfa-iat': { ...published, lambda: 0.5 },
} as const satisfies Record<string, Partial<FineTuneSettings>>

/** The model that a recipe was published for; null for recipes of this project. */
export function publishedPreset(recipe: string): 'vit-l' | null {
  return recipe.startsWith('nano') ? null : 'vit-l'
}
