import './nodeVersion.mjs'
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { endWith, main, root, run } from './process.mjs'
import { setup } from './setup.mjs'
import { TapPoints } from './tapPoints.mjs'

// `npm test [-- PATH…]`: set-up, lint, types, then every test, browser tests last, with the seconds of each. Ends with the number of points passed in
// Node and in a browser, and the line "N passed, N failed" (", N skipped" may follow). N counts test points; lint and
// types count as one each.

const BIN = join(root, 'node_modules')
const TOOLS = {
  lint: [process.execPath, [join(BIN, '@biomejs', 'biome', 'bin', 'biome'), 'check']],
  types: [process.execPath, [join(BIN, 'typescript', 'bin', 'tsc'), '--noEmit']],
}

/** TAP lines to hide: passed points, plans, times. */
const PASSING = /^\s*(ok \d+ .*|1\.\.\d+|# time=.*)?$/

await main(async () => {
  const { notice } = await setup()
  console.log(notice)
  const total = { passed: 0, failed: 0, skips: [] }
  const files = process.argv.slice(2)
  if (files.length === 0) {
    for (const [name, [program, args]] of Object.entries(TOOLS)) await check(total, name, program, args)
    await runEachWhere(total)
  } else await runTap(total, files.map(testsIn))
  for (const reason of new Set(total.skips)) console.log(`skipped: ${reason}`)
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

/** Runs all tests, browser tests last, and prints the number of points passed in each. */
async function runEachWhere(total) {
  const before = total.passed
  await runTap(total, tests({ inBrowser: false }))
  const inNode = total.passed - before
  const comments = await runTap(total, tests({ inBrowser: true }))
  const name = comments.map((line) => /^\s*# browser: (.*)/.exec(line)?.[1]).find(Boolean)
  const inBrowser = name ? `in ${name}: ${count(total.passed - before - inNode)} passed` : 'in no browser'
  console.log(`in Node: ${count(inNode)} passed · ${inBrowser}`)
}

/** The tests of the browser, or those of every other folder in test/. */
function tests({ inBrowser }) {
  return readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && (entry.name === 'browser') === inBrowser)
    .map(({ name }) => testsIn(`test/${name}`))
}

/** A folder means the tests in it; tap would run every file in it as a test. */
function testsIn(path) {
  const folder = statSync(resolve(root, path), { throwIfNoEntry: false })?.isDirectory()
  return folder ? `${path.replace(/\/+$/, '')}/**/*.test.ts` : path
}

function count(number) {
  return number.toLocaleString('en')
}

/** Runs tap on `files`; prints a line per file, and the failures as tap reports them. Returns the comments. */
async function runTap(total, files) {
  const tap = join(BIN, 'tap', 'dist', 'esm', 'run.mjs')
  const args = [tap, 'run', '--reporter=tap', ...files]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const release = endWith(child)
  const ended = new Promise((done) => child.on('close', done))
  let lines = []
  const comments = []
  const points = new TapPoints(({ name, ok, passed, failed, seconds }) => {
    const fate = `${passed} passed${failed ? `, ${failed} failed` : ''}`
    report(ok, `${name} (${fate}, ${Math.round(seconds)} s)`)
    if (!ok) console.log(lines.filter((line) => !PASSING.test(line)).join('\n'))
    lines = []
  })
  for await (const text of createInterface({ input: child.stdout })) {
    lines.push(text)
    if (/^\s*#/.test(text)) comments.push(text)
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
  return comments
}

function report(ok, text) {
  console.log(`${ok ? 'ok' : 'NOT OK'}  ${text}`)
}
