import type { StoredType } from '../../../kernels/stored.js'
import { croppingDecoder } from '../../data/croppingDecoder.node.js'
import { imageDecoder } from '../../data/decodeImage.node.js'
import { ImageLoader } from '../../data/imageLoader.js'
import type { ImageDecoder, ImageSet } from '../../data/imageSet.js'
import type { Standardisation } from '../../data/standardise.js'
import { openDevice } from '../../engine/device.js'
import { halvesOverflow } from '../../engine/halfOverflow.js'
import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import { type Crop, crops } from '../../face/crop.js'
import type { ReadInfo } from '../../train/checkpoint/checkpoint.js'
import { fitBatch } from '../../train/loop/fitBatch.js'
import type { RunSettings } from '../../train/trainingRun.js'

export interface DeviceOptions {
  readonly debug?: boolean
  /** f16 requires an adapter with shader-f16. */
  readonly precision?: StoredType
}

/**
 * Opens the device and prints which one it is; a software adapter is never used silently.
 *
 * @throws UserError if the adapter does not support `precision`.
 */
export async function openAnnouncedDevice({
  debug = false,
  precision = 'f32',
}: DeviceOptions = {}): Promise<Runtime> {
  const runtime = await openDevice({ debug })
  console.log(runtime.adapterNote)
  if (precision === 'f16') await requireHalves(runtime)
  return runtime
}

async function requireHalves(runtime: Runtime): Promise<void> {
  const adapter = runtime.caps.description || runtime.caps.architecture
  const refuse = (why: string) =>
    new UserError(`--precision f16: this adapter (${adapter}) ${why}; train with --precision f32`)
  if (!runtime.caps.f16) throw refuse('does not offer shader-f16')
  if (!(await halvesOverflow(runtime)))
    throw refuse('stores values that overflow f16 as the largest f16 number, which hides overflow')
}

export function imageLoader(
  set: ImageSet,
  size: number,
  standardisation: Standardisation,
  cacheMegabytes: number,
  crop: Crop = 'none',
): ImageLoader {
  return new ImageLoader({
    set,
    decoder: decoderOf(crop),
    size,
    standardisation,
    cacheBytes: cacheMegabytes * 2 ** 20,
  })
}

export function decoderOf(crop: Crop): ImageDecoder {
  return crop === 'none' ? imageDecoder : croppingDecoder(crop)
}

/** How the training of a checkpoint cut faces out of its images. */
export function trainingCrop({ options }: ReadInfo): Crop {
  return crops.find((crop) => crop === options.crop) ?? 'none'
}

/** As `fitBatch`; prints a line if it changed the batch. */
export function fittedBatch(
  settings: Pick<RunSettings, 'batchSize' | 'accumulation'>,
  elementsPerImage: number,
  runtime: Runtime,
) {
  const fitted = fitBatch(settings, elementsPerImage, runtime)
  const parts = settings.batchSize / fitted.batchSize
  if (parts > 1) {
    console.log(
      `Batches of ${settings.batchSize} are split into ${parts} × ${fitted.batchSize}, because this adapter binds at most ${Math.floor(runtime.memory.maxBindingBytes / 2 ** 20)} MiB at once.`,
    )
  }
  return fitted
}
