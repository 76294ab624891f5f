/** Model configurations: built from settings, and read from files. */
import * as z from 'zod'
import { UserError } from '../errors.js'
import {
  type ClassifierConfig,
  checkFmaeConfig,
  checkVitConfig,
  type FmaeConfig,
  type VitConfig,
} from '../model/config.js'
import { type PresetName, presets } from '../model/presets.js'
import { type FineTuneSettings, fineTuneDefaults, type PretrainSettings } from './settings.js'

const size = z.int().positive()

/** The fields of a `VitConfig` in files. */
export const vitShape = {
  imageSize: size,
  patchSize: size,
  width: size,
  depth: size,
  heads: size,
  mlpRatio: z.number().positive(),
  layerNormEps: z.number().positive(),
}

export const fmaeShape = {
  ...vitShape,
  decoderWidth: size,
  decoderDepth: size,
  decoderHeads: size,
  maskRatio: z.number().min(0).lt(1),
  normPix: z.boolean(),
}

export const classifierShape = {
  ...vitShape,
  aus: size,
  subjects: z.int().nonnegative(),
  lambda: z.number().nonnegative(),
  idLoss: z.enum(['bce', 'softmax']),
  idHeadLayers: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  dropPath: z.number().min(0).lt(1),
}

type Geometry = Pick<FineTuneSettings, 'preset' | 'imageSize' | 'patchSize' | 'width' | 'depth' | 'heads'>
type DecoderSettings = Pick<
  PretrainSettings,
  'decoderWidth' | 'decoderDepth' | 'decoderHeads' | 'maskRatio' | 'normPix'
>
type HeadSettings = Pick<FineTuneSettings, 'lambda' | 'idLoss' | 'idHeadLayers' | 'dropPath'>

/** The preset, overridden by the sizes that are set. @throws UserError if the sizes are inconsistent. */
export function vitConfig(settings: Geometry): VitConfig {
  const preset = presetOf(settings)
  const config = {
    imageSize: settings.imageSize ?? preset.imageSize,
    patchSize: settings.patchSize ?? preset.patchSize,
    width: settings.width ?? preset.width,
    depth: settings.depth ?? preset.depth,
    heads: settings.heads ?? preset.heads,
    mlpRatio: preset.mlpRatio,
    layerNormEps: preset.layerNormEps,
  }
  checkSizes(() => checkVitConfig(config), 'model sizes')
  return config
}

/** As `vitConfig`, with the decoder. */
export function fmaeConfig(settings: Geometry & DecoderSettings): FmaeConfig {
  const preset = presetOf(settings)
  const config = {
    ...vitConfig(settings),
    decoderWidth: settings.decoderWidth ?? preset.decoderWidth,
    decoderDepth: settings.decoderDepth ?? preset.decoderDepth,
    decoderHeads: settings.decoderHeads ?? preset.decoderHeads,
    maskRatio: settings.maskRatio,
    normPix: settings.normPix,
  }
  checkSizes(() => checkFmaeConfig(config), 'model sizes')
  return config
}

/** Callers of the library may be untyped. */
function presetOf({ preset }: Pick<Geometry, 'preset'>): FmaeConfig {
  if (Object.hasOwn(presets, preset)) return presets[preset]
  throw new UserError(`preset: expected one of ${Object.keys(presets).join(', ')}, got "${preset}"`)
}

/** A classifier with the encoder of `encoder`, which may be an FMAE configuration. */
export function classifierConfig(
  encoder: VitConfig,
  outputs: Pick<ClassifierConfig, 'aus' | 'subjects'>,
  settings: HeadSettings = fineTuneDefaults(),
): ClassifierConfig {
  const { imageSize, patchSize, width, depth, heads, mlpRatio, layerNormEps } = encoder
  const { lambda, idLoss, idHeadLayers, dropPath } = settings
  return {
    ...{ imageSize, patchSize, width, depth, heads, mlpRatio, layerNormEps },
    ...{ aus: outputs.aus, subjects: outputs.subjects },
    ...{ lambda, idLoss, idHeadLayers, dropPath },
  }
}

/** "nano", or "nano with width 16, depth 2" if sizes differ from the preset. */
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

/** Turns a RangeError of `check` into a UserError: the sizes come from a user or a damaged file, named by `where`. */
export function checkSizes(check: () => void, where: string): void {
  try {
    check()
  } catch (error) {
    throw error instanceof RangeError ? new UserError(`${where}: ${error.message}`) : error
  }
}
