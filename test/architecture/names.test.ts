import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

// What Biome's naming rules cannot tell: a fixed number or text from what is worked out.

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const ROOMS = ['kernels', 'src']

const texts = ROOMS.flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => [join(room, path), readFileSync(join(root, room, path), 'utf8')] as const),
)

/** Whether an expression is made of literal numbers and texts alone. */
function isFixed(node: ts.Expression): boolean {
  if (ts.isNumericLiteral(node) || ts.isStringLiteral(node)) return true
  if (ts.isPrefixUnaryExpression(node)) return isFixed(node.operand)
  if (ts.isParenthesizedExpression(node)) return isFixed(node.expression)
  return ts.isBinaryExpression(node) && isFixed(node.left) && isFixed(node.right)
}

/** Module constants with a fixed value that are not called in UPPER_CASE. */
function misnamed(path: string, text: string): string[] {
  const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  return statements
    .filter((statement) => ts.isVariableStatement(statement))
    .filter(({ declarationList }) => (declarationList.flags & ts.NodeFlags.Const) !== 0)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .filter(({ initializer }) => initializer && isFixed(initializer))
    .map(({ name }) => (name as ts.Identifier).text)
    .filter((name) => !/^[A-Z][A-Z0-9_]*$/.test(name))
    .map((name) => `${path}: ${name}`)
}

t.test('module constants with a fixed value are in UPPER_CASE', async (t) => {
  t.ok(texts.length > 100)
  t.same(
    texts.flatMap(([path, text]) => misnamed(path, text)),
    [],
  )
  t.same(
    misnamed('x.ts', "const side = 2 ** 4\nconst NAME = 'x'\nconst made = make()"),
    ['x.ts: side'],
    'the rule finds a number',
  )
})
