import { type Fold, subjectsOf } from './folds.js'
import type { ImageSet } from './imageSet.js'
import { counted, examples } from './notes.js'

/** Mismatches between the folds and the subjects of the set, one sentence each. */
export function foldNotes(set: ImageSet, folds: readonly Fold[]): string[] {
  const known = new Set(subjectsOf(set))
  const inFolds = new Set(folds.flatMap(({ subjects }) => subjects))
  const unknown = [...inFolds].filter((subject) => !known.has(subject))
  const outside = [...known].filter((subject) => !inFolds.has(subject))
  const notes: string[] = []
  if (unknown.length > 0)
    notes.push(
      `${set.name}: the folds list ${counted(unknown.length, 'subject')} without images (${examples(unknown)})`,
    )
  if (outside.length > 0)
    notes.push(
      `${set.name}: ${counted(outside.length, 'subject is', 'subjects are')} in no fold (${examples(outside)}); ${counted(imagesOf(set, new Set(outside)), 'image is', 'images are')} excluded`,
    )
  const unnamed = imagesOf(set, new Set([null]))
  if (unnamed > 0)
    notes.push(`${set.name}: ${counted(unnamed, 'image is', 'images are')} excluded, without a subject`)
  return notes
}

function imagesOf(set: ImageSet, subjects: ReadonlySet<string | null>): number {
  let count = 0
  for (let index = 0; index < set.length; index++) if (subjects.has(set.sample(index).subject)) count++
  return count
}

/**
 * AUs that are active in all test images or in none: the mean F1 includes them, the mean AUC cannot.
 *
 * @param targets 0 or 1, [N, A]
 */
export function constantAuNotes(targets: ArrayLike<number>, aus: readonly number[]): string[] {
  const images = targets.length / aus.length
  const present = aus.map((_, column) => {
    let count = 0
    for (let at = column; at < targets.length; at += aus.length) count += targets[at]
    return count
  })
  return [
    { units: aus.filter((_, column) => present[column] === images), where: 'active in all' },
    { units: aus.filter((_, column) => present[column] === 0), where: 'inactive in all' },
  ]
    .filter(({ units }) => units.length > 0)
    .map(
      ({ units, where }) =>
        `AU ${units.join(', ')}: ${where} ${counted(images, 'test image')}; included in the mean F1, but not in the mean AUC`,
    )
}
