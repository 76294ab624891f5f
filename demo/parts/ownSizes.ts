/** A folder may be small: smaller batches and more epochs are offered than for the bundled faces. */
export const BATCHES: readonly number[] = [4, 8, 16, 32, 64]
export const EPOCHS: readonly number[] = [4, 8, 16, 32, 64, 128, 256]

/** Steps with which something can be seen to be learned. */
const STEPS = 300

/** Batches of an epoch, at least, where there are enough images. */
const BATCHES_PER_EPOCH = 4

/** The largest batch with which an epoch has some steps, `most` at most. */
export function fittingBatch(images: number, most: number): number {
  return BATCHES.findLast((batch) => batch <= Math.min(images / BATCHES_PER_EPOCH, most)) ?? BATCHES[0]
}

/** As few epochs as make enough steps. */
export function fittingEpochs(images: number, batchSize: number): number {
  const perEpoch = Math.floor(images / batchSize)
  return EPOCHS.find((epochs) => epochs * perEpoch >= STEPS) ?? EPOCHS.at(-1)!
}
