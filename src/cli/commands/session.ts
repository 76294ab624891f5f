import type { StoredType } from '../../../kernels/stored.js'
import { imageDecoder } from '../../data/decodeImage.node.js'
import { ImageLoader } from '../../data/imageLoader.js'
import type { ImageSet } from '../../data/imageSet.js'
import type { Standardisation } from '../../data/standardise.js'
import { openDevice } from '../../engine/device.js'
import { halvesOverflow } from '../../engine/halfOverflow.js'
import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import { fitBatch } from '../../train/loop/fitBatch.js'
import type { RunSettings } from '../../train/trainingRun.js'

export interface DeviceOptions {
  readonly debug?: boolean
  /** f16 needs an adapter that has it. */
  readonly precision?: StoredType
}

/**
 * Opens the device and says which; a software adapter is never used silently.
 *
 * @throws UserError if the adapter lacks what `precision` needs.
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
    throw refuse('stores numbers that are too large for f16 as the largest one, which hides overflow')
}

export function imageLoader(
  set: ImageSet,
  size: number,
  standardisation: Standardisation,
  cacheMegabytes: number,
): ImageLoader {
  return new ImageLoader({
    set,
    decoder: imageDecoder,
    size,
    standardisation,
    cacheBytes: cacheMegabytes * 2 ** 20,
  })
}

/** `fitBatch`, and a line where it changed something. */
export function fittedBatch(
  settings: Pick<RunSettings, 'batchSize' | 'accumulation'>,
  elementsPerImage: number,
  runtime: Runtime,
) {
  const fitted = fitBatch(settings, elementsPerImage, runtime)
  const parts = settings.batchSize / fitted.batchSize
  if (parts > 1) {
    console.log(
      `Batches of ${settings.batchSize} run as ${parts} × ${fitted.batchSize}: this adapter binds at most ${Math.floor(runtime.memory.maxBindingBytes / 2 ** 20)} MiB at once.`,
    )
  }
  return fitted
}
