import { UserError } from '../errors.js'
import { chooseFolds, type Fold, indicesOfSplit, indicesOfSubjects } from './folds.js'
import type { ImageSet } from './imageSet.js'

/** The training and test images of the main job. No test subject is trained on. */
export interface MainJobData {
  readonly set: ImageSet
  readonly aus: readonly number[]
  readonly folds: readonly Fold[]
  /** Identity classes: all subjects with AU labels, including test subjects, as in the reference. */
  readonly subjects: readonly string[]
  readonly trainFolds: readonly string[]
  readonly testFold: string
  /** Images of training subjects that fine-tuning trains on. */
  readonly train: Uint32Array
  /** Held-out images of the same subjects. */
  readonly seen: Uint32Array
  /** All images of the test subjects. */
  readonly unseen: Uint32Array
  /** Images for FMAE: those of subjects with one image each, and the training images. */
  readonly pretrain: Uint32Array
  /** All images of subjects in folds, for the identity probe. */
  readonly inFolds: Uint32Array
}

/** Of the 24 images of a subject, 20 are for training and 4 are held out. */
const SEEN_FRACTION = 1 / 6

/** Tests on fold 3 and trains on folds 1 and 2; to choose settings, tests on fold 2 and trains on fold 1. */
export function mainJobData(set: ImageSet, testFold: 'fold2' | 'fold3', seed: number): MainJobData {
  const { aus } = set
  if (!set.folds || !aus) throw new UserError(`${set.name}: folds.json or AU labels are missing`)
  const trainFolds = testFold === 'fold3' ? ['fold1', 'fold2'] : ['fold1']
  const { folds, train, seen, test, subjects } = chooseFolds(set, {
    folds: set.folds.length,
    testFold,
    trainOn: trainFolds,
    seenFraction: SEEN_FRACTION,
    seed,
  })
  const pretrain = Uint32Array.from([...indicesOfSplit(set, 'extra'), ...train])
  const inFolds = indicesOfSubjects(set, subjects)
  return { set, aus, folds, subjects, trainFolds, testFold, train, seen, unseen: test, pretrain, inFolds }
}
