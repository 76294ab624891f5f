import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Holder, takeLock } from '../../src/fileLock.node.js'

/** What a lock says that this very process wrote. */
function ownWord(folder: string): Holder {
  const path = join(folder, 'own')
  const { release } = takeLock(path)
  const word = JSON.parse(readFileSync(path, 'utf8'))
  release?.()
  return word
}

/** A lock as a process left it that has ended. */
function staleLock(folder: string, changes: Partial<Holder> = {}): string {
  const path = join(folder, 'run.lock')
  const pid = spawnSync('true').pid
  writeFileSync(path, JSON.stringify({ ...ownWord(folder), pid, began: '1', token: 'old', ...changes }))
  return path
}

t.test('a lock is held once, and free again when it is released', async (t) => {
  const path = join(t.testdir(), 'run.lock')
  const first = takeLock(path)
  const second = takeLock(path)
  t.match(second, { release: null, held: { pid: process.pid } })
  first.release?.()
  t.type(takeLock(path).release, 'function')
  t.same(readdirSync(t.testdirName), ['run.lock'], 'nothing is left beside it')
})

t.test('the lock of a process that has ended is taken over, and that is told', async (t) => {
  const path = staleLock(t.testdir())
  const taking = takeLock(path)
  t.match(taking, { stale: { token: 'old' } })
  t.same(readdirSync(t.testdirName), ['run.lock'])
  taking.release?.()
  t.same(readdirSync(t.testdirName), [])
})

t.test('a number that was given to another process since does not hold a lock', async (t) => {
  const path = staleLock(t.testdir(), { pid: process.pid, began: '1' })
  t.match(takeLock(path), { stale: { token: 'old' } })
})

t.test('a lock from before the machine started again is taken over', async (t) => {
  const path = staleLock(t.testdir(), { pid: process.pid, boot: 'another pid:[1]' })
  t.match(takeLock(path), { stale: { token: 'old' } })
})

t.test('what cannot be asked from here is not taken over', async (t) => {
  const folder = t.testdir()
  t.match(takeLock(staleLock(folder, { host: 'elsewhere' })), { held: { host: 'elsewhere' } })
  const boot = `${ownWord(folder).boot?.split(' ')[0]} pid:[1]`
  t.match(takeLock(staleLock(folder, { boot })), { held: { boot } }, 'another container')
  writeFileSync(join(folder, 'run.lock'), '{"pid": 1')
  t.same(takeLock(join(folder, 'run.lock')), { release: null, held: null })
})

const skipZombie = process.platform === 'linux' ? false : 'only /proc tells of such processes'
t.test('a process whose end its parent has not asked for yet has ended', { skip: skipZombie }, async (t) => {
  // The shell becomes a sleep, which never asks; its child ends when the pipe is closed, after that.
  const parent = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 600 3<&-'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  })
  t.teardown(() => parent.kill())
  const pid = Number((await once(parent.stdout!, 'data'))[0])
  while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8') !== 'sleep\n') await sleep(5)
  ;(parent.stdio[3] as Writable).end()
  const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
  while (stat()[2] !== 'Z') await sleep(5)
  t.match(takeLock(staleLock(t.testdir(), { pid, began: stat()[21]! })), { stale: { token: 'old' } })
})

t.test('of four processes that want a lock at once, fresh or stale, one gets it', async (t) => {
  const file = fileURLToPath(new URL('lockTaker.ts', import.meta.url))
  // Not as tests: only TypeScript is loaded.
  const execArgv = process.execArgv.filter((flag) => !flag.includes('movement'))
  const takers = Array.from({ length: 4 }, () => fork(file, { execArgv }))
  t.teardown(() => {
    for (const taker of takers) taker.kill()
  })
  await Promise.all(takers.map((taker) => once(taker, 'message')))
  const take = async (taker: ChildProcess, path: string) => {
    taker.send(path)
    return (await once(taker, 'message'))[0] as boolean
  }
  for (let round = 0; round < 100; round++) {
    const folder = t.testdir()
    const path = round % 2 === 0 ? join(folder, 'run.lock') : staleLock(folder)
    const taken = await Promise.all(takers.map((taker) => take(taker, path)))
    t.equal(taken.filter(Boolean).length, 1, `round ${round}`)
    t.same(readdirSync(folder), ['run.lock'])
  }
})
