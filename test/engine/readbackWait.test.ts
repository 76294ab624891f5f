import t from 'tap'
import { ReadbackWait } from '../../src/engine/readbackWait.js'

// Sleeping before a read follows the time that work takes, not the time between two pieces of work.

const read = { buffer: null, bufferId: 0, byteOffset: 0, byteLength: 4, alive: true }

/** A clock that goes on by what is slept, and by nothing else. */
function clockOfSleeps() {
  let time = 0
  const clock = {
    now: () => time,
    sleep: async (milliseconds: number) => {
      time += milliseconds
    },
  }
  const timeOf = async (work: () => Promise<unknown>) => {
    const start = time
    await work()
    return time - start
  }
  return { ...clock, timeOf, patience: new ReadbackWait(clock) }
}

t.test('a pause of the host is not taken for slow work', async (t) => {
  const { sleep, timeOf, patience } = clockOfSleeps()
  for (const dispatches of [10, 20]) {
    await sleep(300)
    patience.submitted()
    await patience.wait(dispatches, read)
    patience.done(dispatches, 0, read, true)
  }
  patience.submitted()
  t.equal(await timeOf(() => patience.wait(30, read)), 0)
})

t.test('work that follows without a gap is slept through', async (t) => {
  const { sleep, timeOf, patience } = clockOfSleeps()
  patience.submitted()
  await sleep(200)
  patience.done(10, 0, read, false)
  patience.submitted()
  t.equal(await timeOf(() => patience.wait(20, read)), 170, '85 % of 200 ms')
})
