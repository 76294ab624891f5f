import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type BenchResults, benchSchema } from '../../bench/schema.js'
import { build } from '../../scripts/build.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'fmae-bench-test-'))
t.teardown(() => rmSync(folder, { recursive: true }))
await build(['bench'])

function bench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  // By env, so that tap's hooks do not ride along in the program; the user's kernel variants are left alone.
  const command = [
    '-u',
    'NODE_OPTIONS',
    `FMAE_CACHE=${folder}`,
    process.execPath,
    join(root, 'dist', 'bench.js'),
    ...args,
  ]
  const child = spawn('env', command, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    ended.stdout += text
  })
  child.stderr.on('data', (text) => {
    ended.stderr += text
  })
  return new Promise((done) => child.on('close', (code) => done({ code, ...ended })))
}

t.test('one section, quickly, as JSON', async (t) => {
  const file = join(folder, 'results.json')
  const { code, stdout, stderr } = await bench('--quick', '--only', 'growth', '--json', file)
  t.equal(code, 0, stderr)
  t.match(stdout, /Growth while training/)
  const parsed = benchSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  t.ok(parsed.success, String(parsed.error))
  const results = parsed.data as BenchResults
  t.ok(results.ceilings.fmaGflops > 0 && results.ceilings.copyGBs > 0)
  t.same(results.kernels, [], 'sections that were not asked for are empty')
  const { early, late } = results.growth!
  t.ok(late.step > early.step)
  t.equal(late.buffers, early.buffers, 'no buffers are made in the steady state')
  t.equal(late.bindGroups, early.bindGroups, 'nor bind groups')
  t.equal(late.deviceBytes, early.deviceBytes)
})

const wrong: readonly [readonly string[], RegExp][] = [
  [['--fast'], /^Unknown option '--fast'\. Usage: npm run bench .*\n$/],
  [
    ['--only', 'everything'],
    /^--only everything: expected one of kernels, step, growth, firstStep, peers\n$/,
  ],
  [['kernels'], /^Unexpected argument 'kernels'\. .*Usage: npm run bench .*\n$/],
  [['--json'], /^Option '--json <value>' argument missing.*Usage: npm run bench .*\n$/],
]
for (const [args, message] of wrong) {
  t.test(`refuses ${args.join(' ')} with one line`, async (t) => {
    const { code, stdout, stderr } = await bench(...args)
    t.equal(code, 1)
    t.equal(stdout, '', 'before anything is measured')
    t.match(stderr, message)
  })
}
