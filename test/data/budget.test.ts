import fc from 'fast-check'
import t from 'tap'
import { Budget } from '../../src/data/budget.js'

t.test('work of any costs starts in order, within the capacity or alone, and fails alone', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 30 }),
      async (costs) => {
        const budget = new Budget(10)
        const running = new Set<number>()
        const started: number[] = []
        const results = await Promise.allSettled(
          costs.map((cost, at) =>
            budget.run(cost, async () => {
              running.add(at)
              started.push(at)
              const used = [...running].reduce((sum, other) => sum + costs[other], 0)
              if (used > 10 && used !== cost) t.fail(`${used} in use`)
              await new Promise(setImmediate)
              running.delete(at)
              if (at % 3 === 0) throw new Error(`${at}`)
              return at
            }),
          ),
        )
        t.same(
          started,
          costs.map((_, at) => at),
        )
        t.ok(results.every(({ status }, at) => (status === 'rejected') === (at % 3 === 0)))
      },
    ),
    { numRuns: 30 },
  )
})
