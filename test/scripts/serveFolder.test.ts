import { join } from 'node:path'
import t from 'tap'
import { serveFolder } from '../../scripts/serveFolder.mjs'

const folder = t.testdir({
  'secret.txt': 'not for the page',
  site: {
    'index.html': '<!doctype html><title>front</title>',
    'main.js': 'document.title = "ran"',
    'data.safetensors': 'bytes',
    empty: {},
    under: { 'index.html': '<!doctype html><title>under</title>' },
  },
})

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
