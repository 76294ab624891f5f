import { UserError } from '../errors.js'
import { indicesOfSplit, indicesOfSubjects, splitPerSubject, subjectsOf } from './folds.js'
import type { ImageSet } from './imageSet.js'

/** Who is trained on and who is tested: no person is in two of the groups. */
export interface MainJobData {
  readonly set: ImageSet
  readonly aus: readonly number[]
  /** Identity classes: everybody with AU labels, test people included, as in the reference. */
  readonly subjects: readonly string[]
  readonly trainFolds: readonly string[]
  readonly testFold: string
  /** Pictures of training people that fine-tuning trains on. */
  readonly train: Uint32Array
  /** Held-out pictures of the same people. */
  readonly seen: Uint32Array
  /** All pictures of the test people. */
  readonly unseen: Uint32Array
  /** Pictures for FMAE: people with one picture each, and the training pictures. */
  readonly pretrain: Uint32Array
  /** All pictures of people in folds, for the identity probe. */
  readonly inFolds: Uint32Array
}

/** Of 24 pictures a person, 20 are trained on and 4 held out. */
const TRAIN_FRACTION = 5 / 6

/** Tests on fold 3 and trains on folds 1 and 2; to choose settings, tests on fold 2 and trains on fold 1. */
export function mainJobData(set: ImageSet, testFold: 'fold2' | 'fold3', seed: number): MainJobData {
  const { folds, aus } = set
  if (!folds || !aus) throw new UserError(`${set.name}: folds.json and AU labels are missing`)
  const trainFolds = testFold === 'fold3' ? ['fold1', 'fold2'] : ['fold1']
  const membersOf = (names: readonly string[]) =>
    folds.filter(({ name }) => names.includes(name)).flatMap(({ subjects }) => subjects)
  const { first: train, rest: seen } = splitPerSubject(
    set,
    indicesOfSubjects(set, membersOf(trainFolds)),
    TRAIN_FRACTION,
    seed,
  )
  const everybody = membersOf(folds.map(({ name }) => name))
  return {
    set,
    aus,
    subjects: subjectsOf(set).filter((subject) => everybody.includes(subject)),
    trainFolds,
    testFold,
    train,
    seen,
    unseen: indicesOfSubjects(set, membersOf([testFold])),
    pretrain: Uint32Array.from([...indicesOfSplit(set, 'extra'), ...train]),
    inFolds: indicesOfSubjects(set, everybody),
  }
}
