import { test } from 'tap'
import { TapPoints } from '../../scripts/tapPoints.mjs'

function count(lines: string[]) {
  const files: { name: string; ok: boolean; passed: number; failed: number; seconds: number }[] = []
  const points = new TapPoints((file) => files.push(file))
  for (const line of lines) points.line(line)
  return { passed: points.passed, failed: points.failed, skips: points.skips, files }
}

test('only leaves count, at any depth', (t) => {
  const result = count([
    'TAP version 14',
    '# Subtest: a.test.ts',
    '    # Subtest: one',
    '        ok 1 - x',
    '        not ok 2 - y',
    '          ---',
    '          found: ok',
    '          ...',
    '    not ok 1 - one # time=3ms',
    '    ok 2 - a point beside a subtest',
    'not ok 1 - a.test.ts # time=12.5s',
    'ok 2 - b.test.ts # time=9000ms',
  ])
  t.match(result, { passed: 3, failed: 1, skips: [] })
  t.same(result.files, [
    { name: 'a.test.ts', ok: false, passed: 2, failed: 1, seconds: 12.5 },
    { name: 'b.test.ts', ok: true, passed: 1, failed: 0, seconds: 9 },
  ])
  t.end()
})

test('a file that dies without a failing point is one failure', (t) => {
  t.match(count(['    ok 1 - fine', 'not ok 1 - dead.test.ts # time=300000ms']), { passed: 1, failed: 1 })
  t.match(count(['not ok 1 - crashed.test.ts']), { passed: 0, failed: 1 })
  t.end()
})

test('skips are counted apart, each with its reason; a failing TODO is no failure', (t) => {
  const result = count([
    '    ok 1 - on the GPU # SKIP this adapter is software',
    '    ok 2 - nothing # SKIP',
    '    not ok 3 - later # TODO not yet',
    'ok 1 - a.test.ts # time=1ms',
  ])
  t.match(result, { passed: 0, failed: 0 })
  t.same(result.skips, ['on the GPU: this adapter is software', 'nothing: no reason given', 'later: not yet'])
  t.end()
})
