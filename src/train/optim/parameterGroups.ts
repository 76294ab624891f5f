/** How the optimizer treats a parameter: its learning rate is that of the schedule times `learningRateScale`. */
export interface ParameterRule {
  readonly learningRateScale: number
  readonly weightDecay: number
}

/** A parameter by its checkpoint name. */
export interface NamedShape {
  readonly name: string
  readonly shape: readonly number[]
}

/** Sin-cos tables, which pretraining does not train. */
const positionTables = ['pos_embed', 'decoder_pos_embed']
/** Parameters below the first block, which have layer id 0. */
const stem = /^(cls_token|pos_embed|patch_embed\..*)$/

function isVector({ name, shape }: NamedShape): boolean {
  return shape.length <= 1 || name.endsWith('.bias')
}

/**
 * Pretraining: one rate; biases and norms are not decayed, the class and mask tokens are (they are 3-D), and the
 * position tables are frozen, that is absent from the result.
 */
export function pretrainingRules(
  parameters: readonly NamedShape[],
  weightDecay: number,
): Map<string, ParameterRule> {
  return new Map(
    parameters
      .filter(({ name }) => !positionTables.includes(name))
      .map((parameter) => [
        parameter.name,
        { learningRateScale: 1, weightDecay: isVector(parameter) ? 0 : weightDecay },
      ]),
  )
}

/** Depth of the parameter: 0 for tokens, positions and patches, i + 1 for block i, depth + 1 for all above. */
export function layerId(name: string, depth: number): number {
  if (stem.test(name)) return 0
  const block = /^blocks\.(\d+)\./.exec(name)
  return block ? Number(block[1]) + 1 : depth + 1
}

export interface FineTuningOptions {
  /** Blocks of the encoder. */
  readonly depth: number
  /** Learning-rate factor of each layer relative to the one above (0.65 in the paper; 1 disables it). */
  readonly layerDecay: number
  readonly weightDecay: number
  /** Extra factor for the identity head's rate (1 in the paper). */
  readonly identityHeadScale: number
}

/**
 * Fine-tuning: everything is trained at layerDecay^(depth + 1 − layer id); vectors, the position table and the
 * class token are not decayed.
 */
export function fineTuningRules(
  parameters: readonly NamedShape[],
  options: FineTuningOptions,
): Map<string, ParameterRule> {
  const { depth, layerDecay, weightDecay, identityHeadScale } = options
  return new Map(
    parameters.map((parameter) => {
      const { name } = parameter
      const isPlain = isVector(parameter) || name === 'pos_embed' || name === 'cls_token'
      const scale = layerDecay ** (depth + 1 - layerId(name, depth))
      return [
        name,
        {
          learningRateScale: name.startsWith('ID_head') ? scale * identityHeadScale : scale,
          weightDecay: isPlain ? 0 : weightDecay,
        },
      ]
    }),
  )
}
