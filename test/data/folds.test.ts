import fc from 'fast-check'
import t from 'tap'
import {
  auTargets,
  indicesOfSplit,
  makeFolds,
  splitByFold,
  splitPerSubject,
  subjectsOf,
  subjectTargets,
} from '../../src/data/folds.js'
import type { ImageSet } from '../../src/data/imageSet.js'

/** Pictures of these people, in this order. */
function makeSet(subjects: readonly (string | null)[], aus: readonly number[] | null = [1]): ImageSet {
  return {
    name: 'people',
    length: subjects.length,
    aus: aus && [1, 2],
    folds: null,
    sample: (index) => ({ id: `${index}`, subject: subjects[index], aus, split: index < 2 ? 'a' : 'b' }),
    bytes: async () => new Uint8Array(0),
    describe: (index) => `people member ${index}`,
  }
}

const names = fc.array(fc.constantFrom('ann', 'bob', 'cy', 'dee', 'eve', 'flo', 'gus'), {
  minLength: 10,
  maxLength: 60,
})

t.test('folds of any people and any split by them share no person', async (t) => {
  fc.assert(
    fc.property(names, fc.integer({ min: 2, max: 4 }), fc.nat(9), (subjects, count, seed) => {
      const set = makeSet(subjects)
      const known = subjectsOf(set)
      fc.pre(known.length >= count && known.length >= 3)
      const folds = makeFolds(known, count, seed)
      t.same(folds.flatMap((fold) => fold.subjects).sort(), known)
      t.ok(
        Math.max(...folds.map((f) => f.subjects.length)) - Math.min(...folds.map((f) => f.subjects.length)) <=
          1,
      )
      t.same(makeFolds([...known].reverse(), count, seed), folds)
      const split = splitByFold(set, folds, 'fold1', count > 2 ? 'fold2' : null)
      const all = [...split.train, ...split.validation, ...split.test]
      t.same(
        all.sort((a, b) => a - b),
        subjects.map((_, at) => at),
      )
      const owners = [split.train, split.validation, split.test].map(
        (part) => new Set([...part].map((at) => subjects[at])),
      )
      t.equal(
        owners.reduce((sum, part) => sum + part.size, 0),
        known.length,
      )
    }),
    { numRuns: 50 },
  )
})

t.test('people in no fold are in no part', async (t) => {
  const set = makeSet(['ann', 'bob', 'cy', null, 'ann'])
  const folds = [
    { name: 'one', subjects: ['ann'] },
    { name: 'two', subjects: ['bob'] },
  ]
  const { train, test } = splitByFold(set, folds, 'one')
  t.same([[...train], [...test]], [[1], [0, 4]])
  t.same([...indicesOfSplit(set, 'a')], [0, 1])
})

t.test('folds that cannot be used are refused with the reason', async (t) => {
  const set = makeSet(['ann', 'bob'])
  const folds = [
    { name: 'one', subjects: ['ann'] },
    { name: 'two', subjects: ['bob'] },
    { name: 'three', subjects: ['zoe'] },
  ]
  t.throws(() => splitByFold(set, folds, 'four'), {
    message: 'No fold "four" in people; the folds are one, two, three',
  })
  t.throws(() => splitByFold(set, folds, 'three'), { message: /has no image of its subjects/ })
  t.throws(() => splitByFold(set, folds, 'one', 'one'), { message: /both the test and the validation fold/ })
  t.throws(() => splitByFold(set, folds.slice(0, 1), 'one'), { message: /no training images remain/ })
  t.throws(() => splitByFold(set, [...folds, { name: 'five', subjects: ['ann'] }], 'one'), {
    message: 'Subject ann is in one and five; expected each subject in one fold',
  })
  t.throws(() => makeFolds(['ann'], 2, 0), { message: /Cannot split 1 subjects into 2 folds/ })
})

t.test('pictures of each person are divided, some on both sides', async (t) => {
  const subjects = Array.from({ length: 50 }, (_, at) => `S${at % 5}`)
  const indices = subjects.map((_, at) => at)
  const { first, rest } = splitPerSubject(makeSet(subjects), indices, 0.7, 3)
  t.same(
    [...first, ...rest].sort((a, b) => a - b),
    indices,
  )
  for (const subject of subjectsOf(makeSet(subjects)))
    t.equal([...first].filter((at) => subjects[at] === subject).length, 7)
  t.same(splitPerSubject(makeSet(subjects), indices, 0.7, 3), { first, rest })
  t.notSame(splitPerSubject(makeSet(subjects), indices, 0.7, 4), { first, rest })
  const two = splitPerSubject(makeSet(['ann', 'ann']), [0, 1], 0.9, 0)
  t.same([two.first.length, two.rest.length], [1, 1])
})

t.test('missing labels and subjects name the picture', async (t) => {
  t.throws(() => auTargets(makeSet(['ann'], null), [0], [1]), { message: /people member 0: no AU labels/ })
  t.throws(() => subjectTargets(makeSet([null]), [0], ['ann']), { message: /people member 0: no subject/ })
})
