import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../errors.js'
import type { RunSettings } from './trainingRun.js'

type BatchSettings = Pick<RunSettings, 'batchSize' | 'accumulation'>

/**
 * The same step in batches that this adapter can bind: a batch whose largest tensor (`elementsPerPicture` of 4 bytes for every picture)
 * passes the binding limit is cut into equal parts whose gradients are added up.
 *
 * @throws UserError if not even one picture fits, or the batch has no divisor that does.
 */
export function fitBatch(
  settings: BatchSettings,
  elementsPerPicture: number,
  { memory }: Pick<Runtime, 'memory'>,
): BatchSettings {
  const { batchSize, accumulation } = settings
  const most = Math.floor(memory.maxBindingBytes / (4 * elementsPerPicture))
  if (batchSize <= most) return { batchSize, accumulation }
  const part = largestDivisor(batchSize, most)
  if (!part) {
    const mib = (4 * elementsPerPicture) / 2 ** 20
    throw new UserError(
      `--image-size: one picture takes a tensor of ${mib.toFixed(0)} MiB, this adapter binds at most ${Math.floor(memory.maxBindingBytes / 2 ** 20)} MiB`,
    )
  }
  return { batchSize: part, accumulation: (accumulation * batchSize) / part }
}

function largestDivisor(count: number, most: number): number | null {
  for (let part = Math.min(most, count); part >= 1; part--) if (count % part === 0) return part
  return null
}
