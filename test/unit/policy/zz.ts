import { parsePolicy } from '#policy';
const units = ['[', '{', '- ', '? ', '!a ', '&a ', '*a ', '[]', '{a: ', 'a: ', ']', '\n', '|\n','"','%a\n','- a\n','a\n','? a\n','[[],','{},', "''", ':\n', ', ', '#\n', '...\n', '---\n', '\t','- - - - - - - -\n'];
for (const kb of [64,128,256,1024]) for (const u of units) { const t=u.repeat(Math.floor(kb*1024/u.length)); const s=performance.now(); const r=parsePolicy(t,'x'); const ms=performance.now()-s; if(ms>300) console.log(kb, JSON.stringify(u), ms.toFixed(0), r.ok?'':r.problems[0]!.message); }
