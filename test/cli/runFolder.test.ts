import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { removeLeftovers } from '../../src/cli/runFolder.node.js'
import { RunLog } from '../../src/cli/runLog.node.js'

t.test('a folder in the place of a log or of a leftover is named in one sentence', async (t) => {
  const out = t.testdir()
  const log = join(out, 'log.jsonl')
  const leftover = join(out, '.checkpoint.safetensors.part')
  for (const folder of [log, leftover]) mkdirSync(folder)
  t.throws(() => new RunLog(log), {
    name: 'UserError',
    message: new RegExp(`^${log}: cannot be read \\(EISDIR: .*\\)$`),
  })
  t.throws(() => removeLeftovers(out), {
    name: 'UserError',
    message: new RegExp(`^${leftover}: cannot be removed \\(.*\\)$`),
  })
})
