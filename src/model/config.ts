/** Geometry of a vision transformer: the encoder of FMAE and the backbone of the AU classifier. */
export interface VitConfig {
  readonly imageSize: number
  readonly patchSize: number
  readonly width: number
  readonly depth: number
  readonly heads: number
  readonly mlpRatio: number
  readonly layerNormEps: number
}

/** The masked autoencoder: encoder, decoder, masking and loss. */
export interface FmaeConfig extends VitConfig {
  readonly decoderWidth: number
  readonly decoderDepth: number
  readonly decoderHeads: number
  /** Fraction of patches removed before the encoder. */
  readonly maskRatio: number
  /** Targets are patches normalized by their own mean and unbiased variance. */
  readonly normPix: boolean
}

/** Loss of the identity head. The reference uses binary cross-entropy on the one-hot subject. */
export type IdentityLoss = 'bce' | 'softmax'

/** The AU classifier and, with λ > 0, its adversarial identity head. */
export interface ClassifierConfig extends VitConfig {
  /** Number of AU outputs. */
  readonly aus: number
  /** Number of identity outputs: all subjects of the data set, test subjects included. */
  readonly subjects: number
  /** Strength of the gradient reversal at the start; 0 builds no identity head. */
  readonly lambda: number
  readonly idLoss: IdentityLoss
  /** Linear layers of the identity head: 1 in the published system, 2 and 3 in its ablation. */
  readonly idHeadLayers: 1 | 2 | 3
  /** Drop-path rate of the last block; block i has i/(depth-1) of it. */
  readonly dropPath: number
}

export const CHANNELS = 3

export function patchCount({ imageSize, patchSize }: VitConfig): number {
  return (imageSize / patchSize) ** 2
}

/** Values in one flattened patch. */
export function patchValues({ patchSize }: VitConfig): number {
  return patchSize * patchSize * CHANNELS
}

/** Far beyond any published ViT: listing the weights of millions of blocks alone takes minutes. */
const MAX_DEPTH = 1000

/** @throws RangeError that names the field, if the sizes are inconsistent. */
export function checkVitConfig(config: VitConfig): void {
  const { imageSize, patchSize, width, heads, mlpRatio, layerNormEps } = config
  for (const field of ['imageSize', 'patchSize', 'width', 'depth', 'heads'] as const) {
    if (!Number.isInteger(config[field]) || config[field] < 1) {
      throw new RangeError(`${field} must be a positive integer, got ${config[field]}`)
    }
  }
  if (config.depth > MAX_DEPTH) throw new RangeError(`depth ${config.depth} is more than ${MAX_DEPTH} blocks`)
  if (imageSize % patchSize !== 0) {
    throw new RangeError(`imageSize ${imageSize} is not a multiple of patchSize ${patchSize}`)
  }
  if (width % heads !== 0) throw new RangeError(`width ${width} is not a multiple of heads ${heads}`)
  if (width % 4 !== 0)
    throw new RangeError(`width ${width} is not a multiple of 4, which position embeddings require`)
  if (width / heads > 128) throw new RangeError(`width / heads is ${width / heads}; at most 128 is supported`)
  const isRatio = mlpRatio > 0 && Number.isInteger(width * mlpRatio)
  requireField('mlpRatio', mlpRatio, `positive, and a whole number times the width ${width}`, isRatio)
  requireField(
    'layerNormEps',
    layerNormEps,
    'a finite number from 0 up',
    Number.isFinite(layerNormEps) && layerNormEps >= 0,
  )
}

/** @throws RangeError that names the field. */
export function checkClassifierConfig(config: ClassifierConfig): void {
  checkVitConfig(config)
  const { aus, subjects, lambda, idLoss, idHeadLayers, dropPath } = config
  requireField('aus', aus, 'a positive integer', Number.isInteger(aus) && aus > 0)
  requireField('lambda', lambda, 'a finite number from 0 up', Number.isFinite(lambda) && lambda >= 0)
  // Without an identity head, there are no subjects to tell apart.
  const fewest = lambda > 0 ? 1 : 0
  const isCount = Number.isInteger(subjects) && subjects >= fewest
  requireField('subjects', subjects, `an integer from ${fewest} up`, isCount)
  requireField('idLoss', idLoss, 'bce or softmax', idLoss === 'bce' || idLoss === 'softmax')
  requireField('idHeadLayers', idHeadLayers, '1, 2 or 3', [1, 2, 3].includes(idHeadLayers))
  requireField('dropPath', dropPath, 'at least 0 and below 1', dropPath >= 0 && dropPath < 1)
}

/** Callers may be untyped, so every field is checked. */
function requireField(field: string, value: unknown, expected: string, holds: boolean): void {
  if (!holds) throw new RangeError(`${field} must be ${expected}, got ${value}`)
}

export function checkFmaeConfig(config: FmaeConfig): void {
  checkVitConfig(config)
  checkVitConfig({
    ...config,
    width: config.decoderWidth,
    depth: config.decoderDepth,
    heads: config.decoderHeads,
  })
  const { maskRatio } = config
  const kept = keptPatches(config)
  if (!(maskRatio >= 0 && maskRatio < 1) || kept < 1 || kept >= patchCount(config)) {
    throw new RangeError(
      `maskRatio ${maskRatio} leaves ${kept} of ${patchCount(config)} patches visible; at least 1 must be visible and 1 masked`,
    )
  }
}

/** Patches that the encoder sees: ⌊L·(1 − maskRatio)⌋. */
export function keptPatches(config: FmaeConfig): number {
  return Math.floor(patchCount(config) * (1 - config.maskRatio))
}
