import { UserError } from '../errors.js'
import { checkFmaeConfig, checkVitConfig, type FmaeConfig, type VitConfig } from '../model/config.js'
import { type PresetName, presets } from '../model/presets.js'
import type { FineTuneOptions, PretrainOptions } from './options.js'

type Geometry = Pick<FineTuneOptions, 'preset' | 'imageSize' | 'patchSize' | 'width' | 'depth' | 'heads'>

/** The preset with the sizes that the user set instead. */
export function vitConfig(options: Geometry): VitConfig {
  const preset = presets[options.preset]
  const config = {
    imageSize: options.imageSize ?? preset.imageSize,
    patchSize: options.patchSize ?? preset.patchSize,
    width: options.width ?? preset.width,
    depth: options.depth ?? preset.depth,
    heads: options.heads ?? preset.heads,
    mlpRatio: preset.mlpRatio,
    layerNormEps: preset.layerNormEps,
  }
  checked(() => checkVitConfig(config))
  return config
}

export function fmaeConfig(
  options: Geometry &
    Pick<PretrainOptions, 'decoderWidth' | 'decoderDepth' | 'decoderHeads' | 'maskRatio' | 'normPix'>,
): FmaeConfig {
  const preset = presets[options.preset]
  const config = {
    ...vitConfig(options),
    decoderWidth: options.decoderWidth ?? preset.decoderWidth,
    decoderDepth: options.decoderDepth ?? preset.decoderDepth,
    decoderHeads: options.decoderHeads ?? preset.decoderHeads,
    maskRatio: options.maskRatio,
    normPix: options.normPix,
  }
  checked(() => checkFmaeConfig(config))
  return config
}

/** "nano", or "nano with width 16, depth 2" where sizes are not the preset's. */
export function modelName(preset: PresetName, config: VitConfig): string {
  const sizes: readonly string[] = [
    'imageSize',
    'patchSize',
    'width',
    'depth',
    'heads',
    'decoderWidth',
    'decoderDepth',
    'decoderHeads',
  ]
  const own: Readonly<Record<string, unknown>> = presets[preset]
  const changed = Object.entries(config).filter(
    ([name, value]) => sizes.includes(name) && value !== own[name],
  )
  const list = changed.map(([name, value]) => `${name} ${value}`).join(', ')
  return list === '' ? preset : `${preset} with ${list}`
}

/** Sizes that make no model are the user's mistake, not a defect. */
function checked(check: () => void): void {
  try {
    check()
  } catch (error) {
    throw error instanceof RangeError ? new UserError(`model sizes: ${error.message}`) : error
  }
}
