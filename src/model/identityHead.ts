import { gelu } from '../engine/ops/gelu.js'
import { gradientReversal } from '../engine/ops/gradientReversal.js'
import { linear } from '../engine/ops/linear.js'
import type { ParameterArena, ParameterSpec } from '../engine/parameters.js'
import type { Tensor } from '../engine/tensor.js'
import type { ClassifierConfig } from './config.js'
import { defaultLinearParameters } from './initialisation.js'

/** `ID_head`, `ID_head2`, `ID_head3`: D → S, D → D/2 → S or D → D/2 → D/4 → S, with GELU between. */
export function identityHeadParameters(config: ClassifierConfig): ParameterSpec[] {
  const { width, subjects, idHeadLayers } = config
  const widths = [width, width / 2, width / 4].slice(0, idHeadLayers)
  return widths.flatMap((inputs, i) => {
    const outputs = i === idHeadLayers - 1 ? subjects : inputs / 2
    return defaultLinearParameters(layerName(i), outputs, inputs)
  })
}

function layerName(i: number): string {
  return i === 0 ? 'ID_head' : `ID_head${i + 1}`
}

/**
 * Subject logits [B, S] from features z [B, D], behind a gradient reversal of strength lambda [1]. The head learns to
 * identify subjects; the encoder receives −λ times its gradient and unlearns identity. Ning et al. 2024, section on IAT.
 */
export function identityHead(
  z: Tensor,
  lambda: Tensor,
  parameters: ParameterArena,
  { idHeadLayers }: ClassifierConfig,
): Tensor {
  let x = gradientReversal(z, lambda)
  for (let i = 0; i < idHeadLayers; i++) {
    const name = layerName(i)
    if (i > 0) x = gelu(x)
    x = linear(x, parameters.get(`${name}.weight`), parameters.get(`${name}.bias`))
  }
  return x
}
