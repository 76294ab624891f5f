import { spawnSync } from 'node:child_process'
import t from 'tap'

t.test('a machine without Chromium is told why and how to get one', async (t) => {
  const script = "const s = await import('./scripts/chromium.mjs'); await s.launchChromium()"
  const env = { ...process.env, FMAE_CHROMIUM: '/nowhere/chromium' }
  const args = ['--input-type=module', '-e', script]
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /NoChromiumError: no Chromium with WebGPU: \/nowhere\/chromium: .*executable/i)
})
