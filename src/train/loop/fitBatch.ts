import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import type { RunSettings } from '../trainingRun.js'

type BatchSettings = Pick<RunSettings, 'batchSize' | 'accumulation'>

/**
 * The same step in batches that this adapter can bind: a batch whose largest tensor (`elementsPerPicture` of 4 bytes for every picture)
 * passes the binding limit is cut into equal parts whose gradients are added up.
 *
 * @throws UserError if not even one picture fits.
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
 * How many pictures a batch may have at most, for its largest tensor to be bound.
 *
 * @throws UserError if not even one picture fits.
 */
export function mostImages(elementsPerImage: number, { memory }: Pick<Runtime, 'memory'>): number {
  const most = Math.floor(memory.maxBindingBytes / (4 * elementsPerImage))
  if (most > 0) return most
  const mib = (4 * elementsPerImage) / 2 ** 20
  throw new UserError(
    `one picture takes a tensor of ${mib.toFixed(0)} MiB, this adapter binds at most ${Math.floor(memory.maxBindingBytes / 2 ** 20)} MiB: train with a smaller --image-size`,
  )
}
