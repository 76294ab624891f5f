import type { FmaeConfig } from './config.js'

const common = { mlpRatio: 4, layerNormEps: 1e-6, maskRatio: 0.75, normPix: true } as const
const published = {
  imageSize: 224,
  patchSize: 16,
  decoderWidth: 512,
  decoderDepth: 8,
  decoderHeads: 16,
  ...common,
} as const

/**
 * Model sizes. `vit-s`, `vit-b` and `vit-l` are the published ones (224 px, patch 16, decoder 512×8×16);
 * `nano` trains in minutes on a software adapter at 64 px.
 */
export const presets = {
  nano: {
    imageSize: 64,
    patchSize: 16,
    width: 64,
    depth: 4,
    heads: 4,
    decoderWidth: 48,
    decoderDepth: 1,
    decoderHeads: 4,
    ...common,
  },
  'vit-s': { width: 384, depth: 12, heads: 6, ...published },
  'vit-b': { width: 768, depth: 12, heads: 12, ...published },
  'vit-l': { width: 1024, depth: 24, heads: 16, ...published },
} as const satisfies Record<string, FmaeConfig>

export type PresetName = keyof typeof presets
