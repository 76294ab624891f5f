import { test } from 'tap'
import { backportsSource } from '../../scripts/aptSources.mjs'

const list = (text: string) => ({ name: '/etc/apt/sources.list', text })
const stanza = (text: string) => ({ name: '/etc/apt/sources.list.d/x.sources', text })

test('one-line sources: the same mirror, options and components, another suite', (t) => {
  const text = [
    '# deb http://old.example/debian bookworm main',
    'deb-src http://mirror.example/debian bookworm main',
    'deb http://security.example/debian-security bookworm-security main',
    'deb http://extra.example/debian bookworm contrib',
    'deb [arch=amd64 signed-by=/usr/share/k.gpg] http://mirror.example/debian bookworm main non-free # mine',
  ].join('\n')
  t.same(backportsSource([list(text)], 'bookworm'), {
    text: 'deb [arch=amd64 signed-by=/usr/share/k.gpg] http://mirror.example/debian bookworm-backports main non-free\n',
    extension: 'list',
  })
  t.end()
})

test('deb822 sources: every field is kept, an embedded key too', (t) => {
  const text = `# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
`
  const source = backportsSource([stanza(text)], 'bookworm')
  t.equal(
    source?.text,
    `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
 -----END PGP PUBLIC KEY BLOCK-----
`,
  )
  t.equal(source?.extension, 'sources')
  t.end()
})

test('a machine that has backports already needs no new source', (t) => {
  const text =
    'deb http://m.example/debian bookworm main\ndeb http://m.example/debian bookworm-backports main'
  t.same(backportsSource([list(text)], 'bookworm'), { known: true })
  t.end()
})

test('no source of the suite, or only a disabled one: null', (t) => {
  const disabled = 'Enabled: no\nTypes: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n'
  t.equal(backportsSource([stanza(disabled)], 'bookworm'), null)
  t.equal(backportsSource([list('deb http://m.example trixie main')], 'bookworm'), null)
  t.equal(backportsSource([], 'bookworm'), null)
  t.end()
})
