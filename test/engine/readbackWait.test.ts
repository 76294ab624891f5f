import t from 'tap'
import { ReadbackWait } from '../../src/engine/readbackWait.js'

// Sleeping before a read follows the time that work takes, not the time between two pieces of work.

const read = { buffer: null, bufferId: 0, byteOffset: 0, byteLength: 4, alive: true }
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms))

async function timeOf(work: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work
  return performance.now() - start
}

t.test('a pause of the host is not taken for slow work', async (t) => {
  const patience = new ReadbackWait()
  for (const dispatches of [10, 20]) {
    await sleep(300)
    patience.submitted()
    await patience.wait(dispatches, read)
    patience.done(dispatches, 0, read, true)
  }
  patience.submitted()
  t.ok((await timeOf(patience.wait(30, read))) < 100)
})

t.test('work that follows without a gap is slept through', async (t) => {
  const patience = new ReadbackWait()
  patience.submitted()
  await sleep(200)
  patience.done(10, 0, read, false)
  patience.submitted()
  const time = await timeOf(patience.wait(20, read))
  t.ok(time > 100 && time < 200, `${time} ms of 200`)
})
