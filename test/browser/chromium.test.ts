import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { launchChromium, serveFolder } from './chromium.js'

// What the other tests in Chromium stand on: a browser with WebGPU, and a server of files.

const folder = t.testdir({
  'secret.txt': 'not for the page',
  site: {
    'index.html': '<!doctype html><title>front</title><script type="module" src="./main.js"></script>',
    'main.js': 'document.title = "ran"',
    'data.safetensors': 'bytes',
    empty: {},
  },
})
mkdirSync(join(folder, 'site', 'under'))
writeFileSync(join(folder, 'site', 'under', 'index.html'), '<!doctype html><title>under</title>')

const chromium = await launchChromium()

t.test('a folder is served with its types, under a base path, and nothing else is', async (t) => {
  const { url, close } = await serveFolder(join(folder, 'site'), { basePath: 'some/where' })
  t.teardown(close)
  t.match(url, /^http:\/\/localhost:\d+\/some\/where\/$/)
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(new URL(path, url), { method })
    return [response.status, response.headers.get('content-type'), await response.text()]
  }
  t.match(await get('main.js'), [200, /^text\/javascript/, 'document.title = "ran"'])
  t.match(await get('data.safetensors'), [200, 'application/octet-stream', 'bytes'])
  t.match(await get('./'), [200, /^text\/html/, /front/])
  t.match(await get('under'), [200, /^text\/html/, /under/])
  t.match(await get('main.js', 'HEAD'), [200, /^text\/javascript/, ''])
  t.match(await get('main.js', 'POST'), [405])
  for (const path of ['none.js', 'empty', '/main.js', '/', '%2e%2e%2fsecret.txt', '..%2fsecret.txt', '%ff'])
    t.match(await get(path), [404], path)
})

t.test('a served page computes by WebGPU', { skip: chromium.skip }, async (t) => {
  const { url, close } = await serveFolder(join(folder, 'site'))
  t.teardown(close)
  const { page, errors } = await chromium.open(url)
  t.equal(await page.title(), 'ran')
  t.match(chromium.version, /^\d+\./)
  const info = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter()
    const device = await adapter!.requestDevice()
    device.destroy()
    return `${adapter!.info.vendor} ${adapter!.info.architecture}`
  })
  t.equal(info, chromium.adapter)
  t.same(errors, [])
})

t.test('what goes wrong in a page is told', { skip: chromium.skip }, async (t) => {
  const { url, close } = await serveFolder(join(folder, 'site'))
  t.teardown(close)
  const { page, errors } = await chromium.open(url)
  await page.evaluate(() => console.error('said so'))
  await page.evaluate(() => fetch('./none.json'))
  await page.evaluate(() => setTimeout(() => (null as unknown as Document).title))
  await page.waitForTimeout(100)
  t.match(errors, [/said so/, /404/, /^uncaught: TypeError/])
})

t.test('a page that crashes is told of', { skip: chromium.skip }, async (t) => {
  const { page, errors } = await chromium.open('about:blank')
  const work = page.evaluate(() => new Promise(() => {}))
  page.goto('chrome://crash').catch(() => {})
  await t.rejects(work, { message: /crashed/ })
  t.same(errors, ['the page crashed'])
})

t.test('a machine without Chromium is told why and how to get one', async (t) => {
  const script = "const s = await import('./scripts/chromium.mjs'); await s.launchChromium()"
  const env = { ...process.env, FMAE_CHROMIUM: '/nowhere/chromium' }
  const args = ['--input-type=module', '-e', script]
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /NoChromiumError: no Chromium with WebGPU: \/nowhere\/chromium: .*executable/i)
})
