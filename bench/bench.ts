/** `npm run bench`: times of the kernels, a training step and the peers on this adapter, in one run. See docs/benchmark.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDevice } from '../src/engine/device.js'
import { describeError, UserError } from '../src/errors.js'
import { measureCeilings } from './ceilings.js'
import { availablePeers, ours, peerVersions, root } from './engines.js'
import { measureFirstSteps } from './firstStep.js'
import { measureGrowth } from './growth.js'
import { measureKernels } from './kernels.js'
import { dozeWhileWaiting } from './peers/doze.mjs'
import { allWorks, measurePeers, someWorks } from './peers.js'
import { printSection, resultsMarkdown } from './results.js'
import type { BenchResults } from './schema.js'
import { measureSteps } from './step.js'
import type { Effort } from './timing.js'

const SECTIONS = ['kernels', 'step', 'growth', 'firstStep', 'peers'] as const
type Section = (typeof SECTIONS)[number]

const USAGE = `Usage: npm run bench -- [--quick] [--only ${SECTIONS.join('|')}] [--json FILE]`
const FULL: Effort = { rounds: 7, roundMs: 200 }
const QUICK: Effort = { rounds: 5, roundMs: 20 }
const GROWTH_EPOCHS = { full: 16, quick: 4 }

interface Options {
  readonly quick: boolean
  readonly sections: readonly Section[]
  readonly json: string | undefined
}

/** @throws UserError for an unknown flag or section. */
function readOptions(args: readonly string[]): Options {
  const { quick = false, only, json } = parse(args)
  if (only !== undefined && !SECTIONS.includes(only as Section))
    throw new UserError(`--only ${only}: expected one of ${SECTIONS.join(', ')}`)
  const withoutPeers = SECTIONS.filter((section) => section !== 'peers' && section !== 'firstStep')
  const sections = only ? [only as Section] : quick ? withoutPeers : SECTIONS
  return { quick, sections, json }
}

function parse(args: readonly string[]): { quick?: boolean; only?: string; json?: string } {
  const options = { quick: { type: 'boolean' }, only: { type: 'string' }, json: { type: 'string' } } as const
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UserError(`${(error as Error).message.split('. ')[0]}. ${USAGE}`)
  }
}

async function bench(options: Options): Promise<void> {
  const { quick, sections, json } = options
  const effort = quick ? QUICK : FULL
  const results = await startResults(effort)
  const wants = (section: Section) => sections.includes(section)
  if (wants('kernels')) {
    const runtime = await openDevice()
    results.kernels = await measureKernels(runtime, results.ceilings, effort, quick)
    runtime.close()
    printSection(results, 'kernels')
  }
  if (wants('step')) {
    results.step = await measureSteps(results.ceilings, effort, quick)
    const rows = Object.values(results.step).map(({ memory }) => memory)
    results.memory = rows.reduce((a, b) => (excess(b) > excess(a) ? b : a))
    printSection(results, 'step')
  }
  if (wants('growth')) {
    results.growth = await measureGrowth(quick ? GROWTH_EPOCHS.quick : GROWTH_EPOCHS.full)
    printSection(results, 'growth')
  }
  if (wants('firstStep') || wants('peers')) await comparePeers(results, wants, effort, quick)
  if (json) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
  if (!quick && sections === SECTIONS) {
    writeFileSync(join(root, 'bench', 'RESULTS.md'), resultsMarkdown(results))
    console.log('\nWritten to bench/RESULTS.md.')
  }
}

const excess = ({ peakBytes, minimumBytes }: { peakBytes: number; minimumBytes: number }) =>
  peakBytes / minimumBytes

async function comparePeers(
  results: BenchResults,
  wants: (section: Section) => boolean,
  effort: Effort,
  quick: boolean,
): Promise<void> {
  const { commands, missing } = await availablePeers()
  results.peersMissing = missing
  if (missing) console.log(`Peers from npm are missing: ${missing}`)
  const engines = [ours, ...commands]
  if (wants('firstStep')) {
    results.firstStep = await measureFirstSteps(engines)
    printSection(results, 'firstStep')
  }
  if (wants('peers')) {
    results.peers = await measurePeers(engines, quick ? someWorks : allWorks, effort)
    printSection(results, 'peers')
  }
}

async function startResults(effort: Effort): Promise<BenchResults> {
  const runtime = await openDevice()
  console.log(runtime.adapterNote)
  // From here on the classes of WebGPU are global.
  dozeWhileWaiting()
  const { caps } = runtime
  const ceilings = await measureCeilings(runtime, effort)
  runtime.close()
  const results: BenchResults = {
    date: new Date().toISOString(),
    command: ['npm run bench', ...process.argv.slice(2)].join(' '),
    versions: versions(),
    adapter: {
      description: caps.description,
      vendor: caps.vendor,
      architecture: caps.architecture,
      software: caps.software,
      f16: caps.f16,
      subgroupSizes: [caps.subgroupMinSize, caps.subgroupMaxSize],
      timestampQuery: caps.timestampQuery,
    },
    ceilings,
    kernels: [],
    peers: [],
    peersMissing: null,
    firstStep: [],
    step: {},
    memory: null,
    growth: null,
  }
  printSection(results, 'ceilings')
  return results
}

function versions(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const version = (path: string): string => JSON.parse(readFileSync(path, 'utf8')).version
  return {
    'fmae-webgpu': version(join(root, 'package.json')),
    node: process.version,
    webgpu: version(require.resolve('webgpu/package.json')),
    ...peerVersions(),
  }
}

try {
  await bench(readOptions(process.argv.slice(2)))
} catch (error) {
  console.error(describeError(error))
  process.exitCode = 1
}
// An open device would keep the process alive.
process.exit()
