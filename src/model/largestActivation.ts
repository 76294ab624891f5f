import { CHANNELS, type FmaeConfig, keptPatches, patchCount, patchValues, type VitConfig } from './config.js'

/** Elements of the widest tensor of a block for `tokens` tokens: the hidden layer of the MLP, or qkv. */
function widestOfBlock(tokens: number, width: number, mlpRatio: number): number {
  return tokens * width * Math.max(mlpRatio, 3)
}

function imageElements({ imageSize }: VitConfig): number {
  return CHANNELS * imageSize ** 2
}

/** Elements that one image adds to the largest tensor of a training step of the masked autoencoder. */
export function largestFmaeActivation(config: FmaeConfig): number {
  const patches = patchCount(config)
  const { width, decoderWidth, mlpRatio } = config
  return Math.max(
    imageElements(config),
    patches * patchValues(config),
    patches * width,
    widestOfBlock(1 + keptPatches(config), width, mlpRatio),
    widestOfBlock(1 + patches, decoderWidth, mlpRatio),
  )
}

/** Elements that one image adds to the largest tensor of a training step of the classifier. */
export function largestClassifierActivation(config: VitConfig): number {
  return Math.max(imageElements(config), widestOfBlock(1 + patchCount(config), config.width, config.mlpRatio))
}
