import { test } from 'tap'
import { PhiloxStream, philox4x32 } from '../../src/engine/random.js'

function block(counter: [number, number, number, number], key: [number, number]): number[] {
  const out = new Uint32Array(4)
  philox4x32(out, ...counter, ...key)
  return [...out]
}

test('philox4x32-10 gives the known answers of Random123', (t) => {
  const ones = 0xffffffff
  t.same(block([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
  t.same(block([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd])
  t.same(
    block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  )
  t.end()
})

test('a stream goes on with the same bits from a saved position', (t) => {
  const original = new PhiloxStream(7, 3)
  for (let draw = 0; draw < 13; draw++) original.normal()
  original.uint32()
  const resumed = new PhiloxStream(7, 3)
  resumed.position = original.position
  const draws = (stream: PhiloxStream) => Array.from({ length: 9 }, () => stream.uint32())
  t.same(draws(resumed), draws(original))
  const far = new PhiloxStream(7, 3)
  far.position = 2 ** 40 + 1
  t.equal(far.uint32(), block([0, 2 ** 6, 0, 0], [7, 3])[1], 'the block number fills both words')
  t.end()
})

test('seed, stream and step each open another sequence', (t) => {
  const first = (seed: number, stream: number, step: number) => new PhiloxStream(seed, stream, step).uint32()
  const draws = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1), first(0, 0, 2 ** 32)]
  t.equal(new Set(draws).size, draws.length)
  t.throws(() => new PhiloxStream(-1, 0), /seed must be an integer/)
  t.throws(() => new PhiloxStream(0.5, 0), /seed must be an integer/)
  t.throws(() => new PhiloxStream(0, 0).integer(0), /n must be an integer/)
  t.end()
})

test('the distributions have the moments they should', (t) => {
  const stream = new PhiloxStream(0, 0)
  const n = 100_000
  let sum = 0
  let square = 0
  let mean = 0
  const counts = new Float64Array(10)
  for (let draw = 0; draw < n; draw++) {
    const normal = stream.normal()
    sum += normal
    square += normal * normal
    mean += stream.uniform() / n
    counts[stream.integer(10)]++
  }
  t.ok(Math.abs(sum / n) < 0.015, 'normal mean')
  t.ok(Math.abs(square / n - 1) < 0.02, 'normal variance')
  t.ok(Math.abs(mean - 0.5) < 0.005, 'uniform mean')
  t.ok(
    counts.every((count) => Math.abs(count - n / 10) < 500),
    'integers are level',
  )
  t.end()
})

test('a permutation holds every index once and depends on the seed', (t) => {
  const order = new PhiloxStream(5, 0).permutation(197)
  t.same(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 197 }, (_, index) => index),
  )
  t.notSame(order, new PhiloxStream(6, 0).permutation(197))
  t.same([...new PhiloxStream(5, 0).shuffle(['a', 'b', 'c', 'd'])].sort(), ['a', 'b', 'c', 'd'])
  t.end()
})
