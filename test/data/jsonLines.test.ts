import fc from 'fast-check'
import t from 'tap'
import { parseJsonLines } from '../../src/data/jsonLines.js'
import { subjectRule } from '../../src/data/subjectRules.js'

const bp4d = { aus: [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24], subject: null }

t.test('reads the active units in any order, at any line end, whatever else a line says', async (t) => {
  const line = fc.record({
    path: fc.string({ minLength: 1 }),
    active: fc.shuffledSubarray(bp4d.aus),
    absent: fc.nat(5),
    extra: fc.jsonValue(),
  })
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom('\n', '\r\n', '\n\n'), (lines, end) => {
      const text = lines
        .map(({ path, active, absent, extra }) =>
          JSON.stringify({ img_path: path, AUs: [...Array(absent).fill(999), ...active], extra }),
        )
        .join(end)
      const records = parseJsonLines(text + end, 'labels.jsonl', bp4d)
      t.same(
        records,
        lines.map(({ path, active }) => ({
          id: path,
          subject: null,
          aus: active.sort((a, b) => a - b),
          split: null,
        })),
      )
    }),
    { numRuns: 50 },
  )
})

t.test('an unknown unit names file, line, unit and the allowed list', async (t) => {
  const text = '{"img_path":"a.jpg","AUs":[1]}\n\n{"img_path":"b.jpg","AUs":[1,9]}'
  t.throws(() => parseJsonLines(text, 'labels.jsonl', bp4d), {
    message:
      'labels.jsonl line 3: unknown action unit 9; expected one of 1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24 (or 999 for absent)',
  })
  t.equal(parseJsonLines(text, 'labels.jsonl', { aus: null, subject: null }).length, 2)
  t.throws(() => parseJsonLines('{"img_path":"a","AUs":[3]}', 'x', { aus: null, subject: null }), {
    message: /unknown action unit 3; expected a FACS/,
  })
})

t.test('what is wrong with a line is said with file, line and field', async (t) => {
  for (const [line, message] of [
    ['{"img_path":"a.jpg"', /^l\.jsonl line 1: not valid JSON/],
    ['{"AUs":[1]}', /^l\.jsonl line 1: field "img_path"/],
    ['{"img_path":"a","AUs":"1"}', /^l\.jsonl line 1: field "AUs"/],
    ['{"img_path":"a","AUs":[1.5]}', /^l\.jsonl line 1: field "AUs\.0"/],
    ['[1]', /^l\.jsonl line 1/],
    [' \r\n', /^l\.jsonl: no labels/],
  ] as const)
    t.throws(() => parseJsonLines(line, 'l.jsonl', bp4d), { name: 'UserError', message }, line)
})

t.test('subjects are given, or found in the path', async (t) => {
  const subjectOf = (path: string, rule: string, given?: string) =>
    parseJsonLines(JSON.stringify({ img_path: path, subject: given }), 'l.jsonl', {
      aus: null,
      subject: subjectRule(rule),
    })[0].subject
  t.equal(subjectOf('2F15_T8/frame_1.jpg', 'bp4d'), 'F15')
  t.equal(subjectOf('F001_T1/frame_12.jpg', 'bp4dplus'), 'F001')
  t.equal(subjectOf('RightVideoSN001/frame_1.jpg', 'disfa'), 'SN001')
  t.equal(subjectOf('people/anna/1.png', 'people/([^/]+)/'), 'anna')
  t.equal(subjectOf('007_smiling.jpg', '^\\d+'), '007')
  t.equal(subjectOf('2F15_T8/frame_1.jpg', 'bp4d', 'given'), 'given')
  t.throws(() => subjectOf('x.jpg', 'disfa'), { message: /line 1: .*no subject in img_path "x\.jpg"/ })
  t.throws(() => subjectRule('('), { message: /expected bp4d, bp4dplus, disfa or a regular expression/ })
})
