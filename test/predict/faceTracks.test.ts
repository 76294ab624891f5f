import t from 'tap'
import { FaceTracks } from '../../src/predict/faceTracks.js'

const box = (x: number, y = 0, side = 100) => ({ x, y, width: side, height: side })

t.test('a face keeps its number while it moves, whatever the order', async (t) => {
  const tracks = new FaceTracks()
  t.same(tracks.assign(0, [box(0), box(300)]), [0, 1])
  t.same(tracks.assign(1, [box(310), box(20)]), [1, 0])
  t.same(tracks.assign(2, [box(320), box(600), box(40)]), [1, 2, 0], 'a new face gets a new number')
})

t.test('each number is given once, to the best overlap', async (t) => {
  const tracks = new FaceTracks()
  tracks.assign(0, [box(0)])
  t.same(tracks.assign(1, [box(30), box(5)]), [1, 0])
})

t.test('a face that was hidden for a while is known again, but not for ever', async (t) => {
  const tracks = new FaceTracks()
  t.same(tracks.assign(0, [box(0)]), [0])
  t.same(tracks.assign(29, []), [])
  t.same(tracks.assign(30, [box(0)]), [0])
  t.same(tracks.assign(61, [box(0)]), [1])
})
