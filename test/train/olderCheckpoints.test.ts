import { createHash } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { RunLog } from '../../src/cli/runLog.node.js'
import { root, runProgram } from '../cli/program.js'

// Runs that version 0.2.0 stopped in the middle, and where it ended itself: tools/makeOldCheckpoints.mjs.
const fixture = join(root, 'test', 'fixtures', '0.2.0')
const expected: Record<string, Ending> = JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8'))

interface Ending {
  readonly args: readonly string[]
  readonly adapter: string
  /** Of the last steps, by step. */
  readonly losses: Readonly<Record<string, number>>
  /** Of the bytes of all tensors. */
  readonly sha256: string
}

function tensorsHash(path: string): string {
  const file = readFileSync(path)
  return createHash('sha256')
    .update(file.subarray(8 + Number(file.readBigUInt64LE(0))))
    .digest('hex')
}

for (const [name, { args, adapter, losses, sha256 }] of Object.entries(expected)) {
  t.test(`a run of 0.2.0 resumes as 0.2.0 itself resumed it: ${name}`, async (t) => {
    const out = join(t.testdir(), name)
    cpSync(join(fixture, name), out, { recursive: true })
    const { code, stdout, stderr } = await runProgram([...args, '--out', out, '--resume'], { cwd: root })
    t.equal(code, 0, stderr)
    const logged = new Map(new RunLog(join(out, 'log.jsonl')).read().map(({ step, loss }) => [step, loss]))
    for (const [step, loss] of Object.entries(losses)) {
      // Adapters round differently, and 80 steps add that up.
      const distance = Math.abs(Number(logged.get(Number(step))) - loss)
      t.ok(distance < 1e-3, `step ${step}: loss ${logged.get(Number(step))}, 0.2.0 had ${loss}`)
    }
    if (stdout.split('\n')[0] === adapter)
      t.equal(tensorsHash(join(out, 'checkpoint.safetensors')), sha256, 'the same bits')
  })
}
