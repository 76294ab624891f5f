import fc from 'fast-check'
import t from 'tap'
import { parseJsonLines } from '../../../src/data/readers/jsonLines.js'
import { openTree } from './openTree.js'

const anImage = 'x'

t.test('reads the active units in any order, at any line end, whatever else a line says', async (t) => {
  const line = fc.record({
    path: fc.string({ minLength: 1 }),
    subject: fc.option(
      fc.oneof(
        fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
        fc.integer(),
      ),
    ),
    aus: fc.option(fc.array(fc.integer())),
    extra: fc.jsonValue(),
  })
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom('\n', '\r\n', '\n\n'), (lines, end) => {
      const text = lines
        .map(({ path, subject, aus, extra }) => JSON.stringify({ img_path: path, subject, AUs: aus, extra }))
        .join(end)
      const { lines: read } = parseJsonLines(text + end, 'labels.jsonl')
      t.same(
        read.map(({ path, subject, aus }) => ({ path, subject, aus })),
        lines.map(({ path, subject, aus }) => ({
          path,
          subject: subject === null ? null : `${subject}`.trim().normalize('NFC'),
          aus,
        })),
      )
      t.same(read[0].where, 'labels.jsonl line 1')
    }),
    { numRuns: 50 },
  )
})

t.test('an absent unit is dropped; an unknown one names file, line and unit', async (t) => {
  const text = '{"img_path":"a.jpg","AUs":[12,999,1]}\n\n{"img_path":"b.jpg","AUs":[1,9]}'
  const files = { 'labels.jsonl': text, 'a.jpg': anImage, 'b.jpg': anImage }
  const set = await openTree(files)
  t.same(
    [set.sample(0).aus, set.sample(1).aus, set.aus, set.ausDeclared],
    [[1, 12], [1, 9], [1, 9, 12], false],
  )
  await t.rejects(openTree({ 'labels.jsonl': '\n{"img_path":"a","AUs":[3]}' }), {
    message: /^faces\/labels\.jsonl line 2: unknown AU 3; expected a FACS/,
  })
  await t.rejects(openTree({ 'labels.jsonl': ' \r\n' }), { message: /^faces\/labels\.jsonl: no labels/ })
})

t.test('what is wrong with a line is said with file, line and field', async (t) => {
  for (const [line, message] of [
    ['{"img_path":"a.jpg"', /^l\.jsonl line 1: not valid JSON/],
    ['{"AUs":[1]}', /^l\.jsonl line 1: field "img_path"/],
    ['{"img_path":"a","AUs":"1"}', /^l\.jsonl line 1: field "AUs"/],
    ['{"img_path":"a","AUs":[1.5]}', /^l\.jsonl line 1: field "AUs\.0"/],
    ['{"img_path":"a","subject":1.5}', /^l\.jsonl line 1: field "subject": expected text or an integer/],
    ['[1]', /^l\.jsonl line 1/],
    ['null', /^l\.jsonl line 1/],
    ['['.repeat(10_000), /^l\.jsonl line 1: not valid JSON/],
    ['['.repeat(10_000) + ']'.repeat(10_000), /^l\.jsonl line 1/],
  ] as const)
    t.throws(() => parseJsonLines(line, 'l.jsonl'), { name: 'UserError', message }, line.slice(0, 40))
})

t.test('subjects are given, or found in the path', async (t) => {
  const subjectOf = async (path: string, rule: string, given?: string) => {
    const labels = JSON.stringify({ img_path: path, subject: given })
    const set = await openTree({ 'l.jsonl': labels, [path]: anImage }, { file: 'l.jsonl', subjectFrom: rule })
    return set.sample(0).subject
  }
  t.equal(await subjectOf('2F15_T8/frame_1.jpg', 'bp4d'), 'F15')
  t.equal(await subjectOf('F001_T1/frame_12.jpg', 'bp4dplus'), 'F001')
  t.equal(await subjectOf('RightVideoSN001/frame_1.jpg', 'disfa'), 'SN001')
  t.equal(await subjectOf('people/anna/1.png', 'people/([^/]+)/'), 'anna')
  t.equal(await subjectOf('007_smiling.jpg', '^\\d+'), '007')
  t.equal(await subjectOf('2F15_T8/frame_1.jpg', 'bp4d', 'given'), 'given')
  await t.rejects(subjectOf('x.jpg', 'disfa'), { message: /line 1: .*no subject in img_path "x\.jpg"/ })
  await t.rejects(subjectOf('x.jpg', '('), {
    message: /expected bp4d, bp4dplus, disfa or a regular expression/,
  })
  t.equal(await subjectOf('constructor/x.jpg', 'constructor'), 'constructor')
})
