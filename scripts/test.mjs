import './nodeVersion.mjs'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endWith, main, root, run } from './process.mjs'
import { setup } from './setup.mjs'
import { TapPoints } from './tapPoints.mjs'

// `npm test [-- FILE…]`: set-up, lint, types, then every test, those that need no browser first. Ends with the line
// "N passed, N failed" (", N skipped" may follow), where N are test points; lint and types are one each.

const BIN = join(root, 'node_modules')
const TOOLS = {
  lint: [process.execPath, [join(BIN, '@biomejs', 'biome', 'bin', 'biome'), 'check']],
  types: [process.execPath, [join(BIN, 'typescript', 'bin', 'tsc'), '--noEmit']],
}

/** TAP lines with no news in them: passed points, plans, times. */
const PASSING = /^\s*(ok \d+ .*|1\.\.\d+|# time=.*)?$/

await main(async () => {
  const { notice } = await setup()
  console.log(notice)
  const total = { passed: 0, failed: 0, skips: [] }
  const files = process.argv.slice(2)
  if (files.length === 0) {
    for (const [name, [program, args]] of Object.entries(TOOLS)) await check(total, name, program, args)
  }
  for (const group of testGroups(files)) await runTap(total, group)
  for (const reason of total.skips) console.log(`skipped: ${reason}`)
  const skipped = total.skips.length > 0 ? `, ${total.skips.length} skipped` : ''
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
  return total.failed > 0 || total.passed === 0 ? 1 : 0
})

async function check(total, name, program, args) {
  const { code, output } = await run(program, args)
  report(code === 0, name)
  if (code !== 0) console.log(output)
  total[code === 0 ? 'passed' : 'failed'] += 1
}

/** Which files tap runs, in order; named files are one group. */
function testGroups(files) {
  if (files.length > 0) return [files]
  const folders = ['scripts', 'kernels', 'engine', 'model', 'train', 'tools', 'bench', 'browser']
  const groups = folders
    .filter((name) => existsSync(join(root, 'test', name)))
    .map((name) => `test/${name}/**/*.test.ts`)
  const browser = groups.filter((group) => group.startsWith('test/browser/'))
  return [groups.filter((group) => !browser.includes(group)), browser].filter((group) => group.length > 0)
}

/** Runs tap on `files`; a line for each file, and what failed in it as tap tells it. */
async function runTap(total, files) {
  const tap = join(BIN, 'tap', 'dist', 'esm', 'run.mjs')
  const args = [tap, 'run', '--reporter=tap', ...files]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const release = endWith(child)
  const ended = new Promise((done) => child.on('close', done))
  let lines = []
  const points = new TapPoints(({ name, ok, passed, failed }) => {
    report(ok, `${name} (${passed} passed${failed ? `, ${failed} failed` : ''})`)
    if (!ok) console.log(lines.filter((line) => !PASSING.test(line)).join('\n'))
    lines = []
  })
  for await (const text of createInterface({ input: child.stdout })) {
    lines.push(text)
    points.line(text)
  }
  const code = await ended
  release()
  if (code !== 0 && points.failed === 0) {
    console.log(`${lines.join('\n')}\ntap ended with exit code ${code}`)
    points.failed = 1
  }
  total.passed += points.passed
  total.failed += points.failed
  total.skips.push(...points.skips)
}

function report(ok, text) {
  console.log(`${ok ? 'ok' : 'NOT OK'}  ${text}`)
}
