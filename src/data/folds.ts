import { PhiloxStream } from '../engine/random.js'
import { UserError } from '../errors.js'
import type { ImageSet } from './imageSet.js'
import { streams } from './streams.js'

/** A group of subjects that is used as a whole for training or for testing. */
export interface Fold {
  readonly name: string
  readonly subjects: readonly string[]
}

/** Indices into an ImageSet. No subject is in two of the three. */
export interface FoldSplit {
  readonly train: Uint32Array
  /** For choosing settings; empty without a validation fold. */
  readonly validation: Uint32Array
  readonly test: Uint32Array
}

/** All subjects of the set, sorted. Ignores images without a subject. */
export function subjectsOf(set: ImageSet): readonly string[] {
  const found = new Set<string>()
  for (let index = 0; index < set.length; index++) {
    const { subject } = set.sample(index)
    if (subject !== null) found.add(subject)
  }
  return [...found].sort()
}

/** Indices of the images that pass the test, ascending. */
function indicesWhere(set: ImageSet, test: (index: number) => boolean): Uint32Array {
  const found: number[] = []
  for (let index = 0; index < set.length; index++) if (test(index)) found.push(index)
  return Uint32Array.from(found)
}

export function indicesOfSubjects(set: ImageSet, subjects: Iterable<string>): Uint32Array {
  const wanted: ReadonlySet<string | null> = new Set(subjects)
  return indicesWhere(set, (index) => wanted.has(set.sample(index).subject))
}

export function indicesOfSplit(set: ImageSet, split: string): Uint32Array {
  return indicesWhere(set, (index) => set.sample(index).split === split)
}

/** Splits the subjects into `count` folds of nearly equal size. Depends only on the subjects and the seed. */
export function makeFolds(subjects: readonly string[], count: number, seed: number): Fold[] {
  if (count < 2 || subjects.length < count)
    throw new UserError(
      `Cannot split ${subjects.length} subjects into ${count} folds; expected at least 2 folds with one subject each`,
    )
  const order = new PhiloxStream(seed, streams.folds).shuffle([...subjects].sort())
  return Array.from({ length: count }, (_, fold) => ({
    name: `fold${fold + 1}`,
    subjects: order.filter((_, at) => at % count === fold).sort(),
  }))
}

function checkDisjoint(folds: readonly Fold[]): void {
  const owner = new Map<string, string>()
  for (const { name, subjects } of folds)
    for (const subject of subjects) {
      const other = owner.get(subject)
      if (other !== undefined && other !== name)
        throw new UserError(
          `Subject ${subject} is in ${other} and ${name}; expected each subject in one fold`,
        )
      owner.set(subject, name)
    }
}

/** The images of a fold's subjects. @throws UserError if the fold does not exist or has no images. */
export function foldIndices(set: ImageSet, folds: readonly Fold[], name: string): Uint32Array {
  const fold = folds.find((candidate) => candidate.name === name)
  if (!fold)
    throw new UserError(
      `No fold "${name}" in ${set.name}; the folds are ${folds.map((f) => f.name).join(', ')}`,
    )
  const indices = indicesOfSubjects(set, fold.subjects)
  if (indices.length === 0) throw new UserError(`Fold "${name}": ${set.name} has no image of its subjects`)
  return indices
}

/**
 * Splits the images: fold `test` for testing, fold `validation` for choosing settings, all other folds for
 * training. Images of subjects in no fold are in none of the parts.
 *
 * @throws UserError for an unknown or empty fold, or a subject in two folds
 */
export function splitByFold(
  set: ImageSet,
  folds: readonly Fold[],
  test: string,
  validation: string | null = null,
): FoldSplit {
  checkDisjoint(folds)
  if (test === validation)
    throw new UserError(`Fold "${test}" cannot be both the test and the validation fold`)
  const others = folds.filter((fold) => fold.name !== test && fold.name !== validation)
  const train = indicesOfSubjects(
    set,
    others.flatMap((fold) => fold.subjects),
  )
  if (train.length === 0)
    throw new UserError(`${set.name}: no training images remain when fold "${test}" is held out`)
  return {
    train,
    validation: validation === null ? new Uint32Array(0) : foldIndices(set, folds, validation),
    test: foldIndices(set, folds, test),
  }
}

/**
 * Splits each subject's images at random: `fraction` of them go into `first` (rounded, at least one, and not
 * all of several). For held-out images of training subjects, and for the identity probe (0.7).
 */
export function splitPerSubject(
  set: ImageSet,
  indices: ArrayLike<number>,
  fraction: number,
  seed: number,
): { first: Uint32Array; rest: Uint32Array } {
  const bySubject = new Map<string, number[]>()
  for (const index of Array.from(indices)) {
    const subject = requireSubject(set, index)
    const own = bySubject.get(subject)
    if (own) own.push(index)
    else bySubject.set(subject, [index])
  }
  const first: number[] = []
  const rest: number[] = []
  const stream = new PhiloxStream(seed, streams.heldOut)
  for (const subject of [...bySubject.keys()].sort()) {
    const own = stream.shuffle(bySubject.get(subject) ?? [])
    const count = Math.max(1, Math.min(Math.round(own.length * fraction), own.length - 1))
    own.forEach((index, at) => {
      ;(at < count ? first : rest).push(index)
    })
  }
  return { first: Uint32Array.from(first).sort(), rest: Uint32Array.from(rest).sort() }
}

function requireSubject(set: ImageSet, index: number): string {
  const { subject } = set.sample(index)
  if (subject === null)
    throw new UserError(`${set.describe(index)}: no subject; folds and IAT require one for each image`)
  return subject
}

/**
 * Identity class of each image: the index of its subject in `subjects`, [N]. Throws UserError without one.
 */
export function subjectTargets(
  set: ImageSet,
  indices: ArrayLike<number>,
  subjects: readonly string[],
): Uint32Array {
  const classes = new Map(subjects.map((subject, at) => [subject, at]))
  return Uint32Array.from(indices, (index) => {
    const subject = requireSubject(set, index)
    const found = classes.get(subject)
    if (found === undefined)
      throw new UserError(
        `${set.describe(index)}: unknown subject ${subject}; expected one of the ${subjects.length} subjects in the folds`,
      )
    return found
  })
}

/** Targets 0 or 1, [N, A], columns in the order of `aus`. @throws UserError for an image without labels. */
export function auTargets(set: ImageSet, indices: ArrayLike<number>, aus: readonly number[]): Float32Array {
  const missing = aus.filter((unit) => !set.aus?.includes(unit))
  if (set.aus && missing.length > 0)
    throw new UserError(
      `${set.name}: no labels for AU ${missing.join(', ')}; its labels cover AU ${set.aus.join(', ')}`,
    )
  const targets = new Float32Array(indices.length * aus.length)
  for (let row = 0; row < indices.length; row++) {
    const active = set.sample(indices[row]).aus
    if (!active) throw new UserError(`${set.describe(indices[row])}: no AU labels; fine-tuning requires them`)
    for (let column = 0; column < aus.length; column++)
      if (active.includes(aus[column])) targets[row * aus.length + column] = 1
  }
  return targets
}

/** How subjects are chosen for training and testing. */
export interface FoldChoice {
  /** Number of folds to create if the set has none. */
  readonly folds: number
  /** Default: the last fold. */
  readonly testFold?: string | undefined
  /** Default: all folds except the test fold. */
  readonly trainOn?: readonly string[] | undefined
  /** Fraction of each training subject's images to hold out. */
  readonly seenFraction: number
  readonly seed: number
}

/** Training and test images. No subject of the test fold is trained on. */
export interface FoldParts {
  readonly folds: readonly Fold[]
  readonly testFold: string
  readonly train: Uint32Array
  readonly test: Uint32Array
  /** Held-out images of training subjects. */
  readonly seen: Uint32Array
  /** Identity classes: the subjects of all folds, test subjects included as in the reference. */
  readonly subjects: readonly string[]
}

/** The folds of the set; if it has none, its subjects are split at random. */
export function foldsOf(set: ImageSet, { folds, seed }: Pick<FoldChoice, 'folds' | 'seed'>): readonly Fold[] {
  return set.folds ?? makeFolds(subjectsOf(set), folds, seed)
}

/** @throws UserError for a set without subjects, an unknown fold, or a test fold in `trainOn` */
export function chooseFolds(set: ImageSet, choice: FoldChoice): FoldParts {
  const known = subjectsOf(set)
  if (known.length === 0)
    throw new UserError(
      `${set.name}: the labels name no subjects, so training and test subjects cannot be separated; expected "subject" in each label, or --subject-from for label files`,
    )
  const folds = foldsOf(set, choice)
  const testFold = choice.testFold ?? folds.at(-1)!.name
  const { train: all, test } = splitByFold(set, usedFolds(folds, testFold, choice.trainOn), testFold)
  const inFolds = new Set(folds.flatMap((fold) => fold.subjects))
  const subjects = known.filter((subject) => inFolds.has(subject))
  if (choice.seenFraction === 0)
    return { folds, testFold, train: all, test, seen: new Uint32Array(0), subjects }
  const { first, rest } = splitPerSubject(set, all, 1 - choice.seenFraction, choice.seed)
  return { folds, testFold, train: first, test, seen: rest, subjects }
}

function usedFolds(
  folds: readonly Fold[],
  testFold: string,
  trainOn: readonly string[] | undefined,
): readonly Fold[] {
  const unknown = [testFold, ...(trainOn ?? [])].find((name) => !folds.some((fold) => fold.name === name))
  if (unknown !== undefined)
    throw new UserError(
      `--test-fold or --train-on: no fold "${unknown}"; the folds are ${folds.map(({ name }) => name).join(', ')}`,
    )
  if (trainOn?.includes(testFold)) throw new UserError(`--train-on includes the test fold ${testFold}`)
  return trainOn ? folds.filter(({ name }) => name === testFold || trainOn.includes(name)) : folds
}
