import { test } from 'tap'
import { lastLines, packagesAreCurrent } from '../../scripts/packages.mjs'

const here = { os: [process.platform], cpu: [process.arch] }
const lock = (packages: object) => JSON.stringify({ packages })
const wanted = lock({
  '': { name: 'project' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a-native': { version: '2.0.0', optional: true, ...here },
  'node_modules/a-other': { version: '2.0.0', optional: true, os: ['other'], cpu: ['other'] },
})

test('node_modules is current when npm recorded every package of this platform at its locked version', (t) => {
  const a = { 'node_modules/a': { version: '1.0.0' } }
  const native = { 'node_modules/a-native': { version: '2.0.0' } }
  const check = (installed: object, folders: object = { a: {}, 'a-native': {} }) =>
    packagesAreCurrent(
      t.testdir({
        'package-lock.json': wanted,
        node_modules: { '.package-lock.json': lock(installed), ...folders },
      }),
    )
  t.ok(check({ ...a, ...native }))
  t.notOk(check({ ...a }), 'the binary of this platform is missing')
  t.notOk(check({ 'node_modules/a': { version: '0.9.0' }, ...native }), 'an older version')
  t.notOk(check({ ...a, ...native }, { 'a-native': {} }), 'recorded, but its folder is gone')
  t.notOk(packagesAreCurrent(t.testdir({ 'package-lock.json': wanted })), 'nothing installed')
  t.end()
})

test('lastLines keeps the end', (t) => {
  t.equal(lastLines('a\nb\nc\n\n', 2), 'b\nc')
  t.end()
})
