import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildDemo } from '../../scripts/buildDemo.mjs'

t.test('the demo is built into a new folder, and again over itself, with its licences', async (t) => {
  const folder = join(t.testdir({}), 'demo')
  await buildDemo(folder)
  writeFileSync(join(folder, 'stale.js'), '')
  await buildDemo(folder)
  t.notOk(existsSync(join(folder, 'stale.js')))
  const licences = readFileSync(join(folder, 'LICENSES.txt'), 'utf8')
  for (const name of ['@vladmandic/human', 'comlink', 'preact', 'uplot', 'zod'])
    t.match(licences, new RegExp(`^${name}$`, 'm'))
})

t.test('a folder of other files is not emptied', async (t) => {
  const folder = t.testdir({ 'index.html': 'mine' })
  await t.rejects(buildDemo(folder), /contains other files; choose a new or empty folder/)
  t.equal(readFileSync(join(folder, 'index.html'), 'utf8'), 'mine')
})
