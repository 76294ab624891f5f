import { sequentialBatches } from '../../data/batches.js'
import type { ImageLoader } from '../../data/imageLoader.js'
import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import type { AuClassifier } from '../../model/auClassifier.js'
import { CHANNELS } from '../../model/config.js'
import { largestClassifierActivation } from '../../model/largestActivation.js'
import { mostImages } from './fitBatch.js'

export interface ClassifierOutputs {
  /** [N, aus], in the order of the indices. */
  readonly auLogits: Float32Array
  /** `fc_norm` output, [N, width]. */
  readonly features: Float32Array
}

/** Number of batches whose results are read together: each read makes the host wait. */
const BATCHES_PER_READ = 8

/** Runs a classifier over images without augmentation or drop path, `batchSize` at a time or as many as the adapter binds. @throws UserError if an output is not finite. */
export async function classify(
  runtime: Runtime,
  model: AuClassifier,
  loader: ImageLoader,
  indices: ArrayLike<number>,
  batchSize: number,
): Promise<ClassifierOutputs> {
  const { aus, width, imageSize } = model.config
  const fitting = Math.min(batchSize, mostImages(largestClassifierActivation(model.config), runtime))
  const auLogits = new Float32Array(indices.length * aus)
  const features = new Float32Array(indices.length * width)
  let pending: Promise<void>[] = []
  let row = 0
  for await (const batch of sequentialBatches({ loader, indices, batchSize: fitting })) {
    const count = batch.indices.length
    const start = row
    row += count
    runtime.scope(() => {
      const images = runtime.tensor(batch.images, [count, CHANNELS, imageSize, imageSize])
      const output = model.forward(images)
      pending.push(
        readInto(output.auLogits, auLogits, start * aus),
        readInto(output.features, features, start * width),
      )
      return undefined
    })
    if (pending.length >= 2 * BATCHES_PER_READ) {
      await Promise.all(pending)
      pending = []
    }
  }
  await Promise.all(pending)
  const requireFinite = (values: Float32Array) => {
    const wrong = values.findIndex((value) => !Number.isFinite(value))
    if (wrong < 0) return
    const image = loader.set.describe(indices[Math.floor((wrong * indices.length) / values.length)])
    throw new UserError(
      `${image}: the model's output is not a finite number; its weights are damaged or too large`,
    )
  }
  requireFinite(features)
  requireFinite(auLogits)
  return { auLogits, features }
}

async function readInto(
  tensor: { read(): Promise<ArrayLike<number>> },
  target: Float32Array,
  offset: number,
) {
  target.set(await tensor.read(), offset)
}
