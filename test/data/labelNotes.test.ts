import t from 'tap'
import { constantAuNotes, foldNotes } from '../../src/data/labelNotes.js'
import { openTree } from './readers/openTree.js'

const line = (path: string, subject: string) => `${JSON.stringify({ img_path: path, subject, AUs: [1] })}\n`

t.test('folds that do not fit the people are told with their numbers', async (t) => {
  const files = { 'a.jpg': 'x', 'b.jpg': 'y', 'c.jpg': 'z' }
  const labels = line('a.jpg', '003') + line('b.jpg', '003') + line('c.jpg', '001')
  const set = await openTree({ ...files, 'labels.jsonl': labels })
  const folds = [
    { name: 'one', subjects: ['001', '03'] },
    { name: 'two', subjects: ['0006'] },
  ]
  t.same(foldNotes(set, folds), [
    'faces: the folds list 2 subjects without images (03, 0006)',
    'faces: 1 subject is in no fold (003); 2 images are excluded',
  ])
  t.same(foldNotes(set, [{ name: 'one', subjects: ['001', '003'] }]), [])
})

t.test('images without a subject are in no fold, which is said', async (t) => {
  const labels = `${line('a.jpg', '1')}{"img_path":"b.jpg","subject":null,"AUs":[1]}\n`
  const set = await openTree({ 'a.jpg': 'x', 'b.jpg': 'y', 'labels.jsonl': labels })
  t.same(foldNotes(set, [{ name: 'one', subjects: ['1'] }]), [
    'faces: 1 image is excluded, without a subject',
  ])
})

t.test('units that do not vary among the test images are told', async (t) => {
  t.same(constantAuNotes([1, 0, 0, 1, 1, 0], [6, 12, 25]), [
    'AU 6: active in all 2 test images; included in the mean F1, but not in the mean AUC',
    'AU 25: inactive in all 2 test images; included in the mean F1, but not in the mean AUC',
  ])
  t.same(constantAuNotes([1, 0], [6]), [])
})
