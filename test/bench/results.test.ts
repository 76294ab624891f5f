import t from 'tap'
import { resultsMarkdown } from '../../bench/results.js'
import { benchSchema } from '../../bench/schema.js'

const results = benchSchema.parse({
  date: '2026-01-02T03:04:05.678Z',
  command: 'npm run bench',
  versions: { node: 'v20.0.0', '@jax-js/jax': '0.1.25' },
  adapter: {
    description: 'a driver',
    vendor: 'v',
    architecture: 'a',
    software: true,
    f16: false,
    subgroupSizes: [4, 8],
    timestampQuery: false,
  },
  ceilings: { fmaGflops: 90, copyGBs: 4.2 },
  kernels: [
    {
      name: 'gelu',
      shape: '8×8',
      clock: 'wall',
      ms: 2,
      spread: [1, 3],
      gflops: 1,
      gbs: 2,
      percentOfCeiling: 50,
    },
  ],
  peers: [
    peer('matmul', '1×1×1', { ours: 1, tfjs: 4, jaxjs: 8 }),
    peer('matmul', '2×2×2', { ours: 1, tfjs: 18, jaxjs: 9 }),
    {
      ...peer('attention', 'T 3', { ours: 2, tfjs: null, jaxjs: null }),
      notes: { tfjs: 'disagrees on out' },
    },
  ],
  peersMissing: null,
  firstStep: [
    { engine: 'ours', cold: { ms: 4000, spread: [3900, 4500] }, warm: { ms: 1250, spread: [1200, 1300] } },
    { engine: 'tfjs', cold: null, warm: null, reason: 'its process ended without an answer' },
  ],
  step: {
    nano: {
      title: 'FMAE nano',
      batch: 64,
      ms: 40,
      spread: [39, 42],
      imagesPerSecond: 1600,
      kernelMs: null,
      hostMs: 2,
      uploadMs: 0.5,
      waitMs: 38,
      dispatches: 200,
      submits: 1,
      hostMicrosecondsPerDispatch: 10,
      memory: { peakBytes: 22 * 2 ** 20, minimumBytes: 20 * 2 ** 20 },
      kernels: [],
    },
  },
  memory: { peakBytes: 22 * 2 ** 20, minimumBytes: 20 * 2 ** 20 },
  growth: null,
})

function peer(work: string, shape: string, times: Record<'ours' | 'tfjs' | 'jaxjs', number | null>) {
  const measured = Object.entries(times).filter(([, ms]) => ms !== null)
  const spread = Object.fromEntries(measured.map(([name, ms]) => [name, [ms, ms]]))
  return { work, shape, ...times, spread, notes: {} }
}

t.test('RESULTS.md says where, when and with what it was measured', async (t) => {
  const text = resultsMarkdown(results)
  t.match(text, '- Adapter: a driver (software, runs on the CPU), subgroups 4–8, shader-f16 no')
  t.match(text, '- Date: 2026-01-02')
  t.match(text, '- Versions: node v20.0.0, @jax-js/jax 0.1.25')
  t.notMatch(text, 'Peers missing')
  t.match(resultsMarkdown({ ...results, peersMissing: 'offline' }), '- **Peers missing**: offline')
})

t.test('peers are compared by the faster of the two, and their means given', async (t) => {
  const text = resultsMarkdown(results)
  t.match(text, '| matmul 2×2×2 | 1.00 (1.00–1.00) | 18.0 (18.0–18.0) | 9.00 (9.00–9.00) | 9.00× |')
  t.match(text, 'matmul 6.00× (lowest 4.00×)')
  t.match(text, '| attention T 3 | 2.00 (2.00–2.00) | – | – | – |')
  t.match(text, '- attention T 3: tfjs disagrees on out')
  t.match(text, '| tfjs | – | – |\n\ntfjs: its process ended without an answer')
})

t.test(
  'the first step is given cold and warm, in seconds, each with its shortest and longest start',
  async (t) => {
    t.match(resultsMarkdown(results), '| ours | 4.00 (3.90–4.50) | 1.25 (1.20–1.30) |')
  },
)

t.test('memory stands beside its minimum', async (t) => {
  t.match(resultsMarkdown(results), '| FMAE nano | 200 | 1 | 10.0 | 22.0 | 20.0 | 1.10 |')
})
