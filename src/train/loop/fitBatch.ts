import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import type { RunSettings } from '../trainingRun.js'

type BatchSettings = Pick<RunSettings, 'batchSize' | 'accumulation'>

/**
 * The same step in batches that this adapter can bind. If the largest tensor of a batch (`elementsPerImage` times 4 bytes
 * per image) exceeds the binding limit, the batch is split into equal parts whose gradients are accumulated.
 *
 * @throws UserError if not even one image fits.
 */
export function fitBatch(
  settings: BatchSettings,
  elementsPerImage: number,
  runtime: Pick<Runtime, 'memory'>,
): BatchSettings {
  const { batchSize, accumulation } = settings
  let part = Math.min(batchSize, mostImages(elementsPerImage, runtime))
  while (batchSize % part !== 0) part--
  return { batchSize: part, accumulation: (accumulation * batchSize) / part }
}

/**
 * The largest batch whose largest tensor this adapter can bind.
 *
 * @throws UserError if not even one image fits.
 */
export function mostImages(elementsPerImage: number, { memory }: Pick<Runtime, 'memory'>): number {
  const most = Math.floor(memory.maxBindingBytes / (4 * elementsPerImage))
  if (most > 0) return most
  const mib = (4 * elementsPerImage) / 2 ** 20
  throw new UserError(
    `one image needs a tensor of ${mib.toFixed(0)} MiB, but this adapter binds at most ${Math.floor(memory.maxBindingBytes / 2 ** 20)} MiB; use a smaller --image-size`,
  )
}
