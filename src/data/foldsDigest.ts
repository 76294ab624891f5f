import { type Fold, subjectsOf } from './folds.js'
import type { ImageSet } from './imageSet.js'
import { shortSha256 } from './shortSha256.js'

/**
 * Identifies the folds of a set: their names and their subjects that have images. Requires Web Crypto.
 * Checkpoints store this text, so its wording must not change.
 */
export async function foldsDigest(set: ImageSet, folds: readonly Fold[]): Promise<string> {
  const known = new Set(subjectsOf(set))
  const present = folds.map(({ name, subjects }) => ({
    name,
    subjects: subjects.filter((subject) => known.has(subject)).sort(),
  }))
  const count = present.reduce((sum, { subjects }) => sum + subjects.length, 0)
  return `${folds.length} folds, ${count} people, sha256 ${await shortSha256(JSON.stringify(present))}`
}
